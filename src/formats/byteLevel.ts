/** @file GPT-2's printable stand-ins for bytes: printable Latin-1 stands for itself, the other 68 bytes are shifted up to U+0100 and on. */

/** [256] */
export const STAND_IN_OF_BYTE: readonly string[] = (() => {
  let shifted = 0x100;
  return Array.from({ length: 256 }, (_, byte) => {
    const printable = (byte > 0x20 && byte < 0x7f) || (byte > 0xa0 && byte !== 0xad);
    return String.fromCharCode(printable ? byte : shifted++);
  });
})();

export const BYTE_OF_STAND_IN: ReadonlyMap<string, number> = new Map(STAND_IN_OF_BYTE.map((standIn, byte) => [standIn, byte]));
