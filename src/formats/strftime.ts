/** @file Python's strftime in the C locale, for templates that write the date: month names must not follow the browser's language. */

const MONTHS = ['January', 'February', 'March', 'April', 'May', 'June', 'July', 'August', 'September', 'October', 'November', 'December'];
const DAYS = ['Sunday', 'Monday', 'Tuesday', 'Wednesday', 'Thursday', 'Friday', 'Saturday'];

/** Local time; what is no directive stays as it is. https://docs.python.org/3/library/datetime.html#format-codes */
export function strftime(date: Date, format: string): string {
  const [year, month, day, weekday, hours] = [date.getFullYear(), date.getMonth(), date.getDate(), date.getDay(), date.getHours()];
  const padded = (value: number, length = 2): string => String(value).padStart(length, '0');
  const hours12 = hours % 12 || 12;
  // glibc's "-" leaves out the padding.
  return format.replaceAll(/%(-?)([YymdBbAaHIMSpjwDFT%])/gu, (directive, bare: string, code: string) => {
    const number = (value: number, length = 2): string => (bare === '' ? padded(value, length) : String(value));
    switch (code) {
      case 'Y': return number(year, 4);
      case 'y': return number(year % 100);
      case 'm': return number(month + 1);
      case 'd': return number(day);
      case 'B': return MONTHS[month]!;
      case 'b': return MONTHS[month]!.slice(0, 3);
      case 'A': return DAYS[weekday]!;
      case 'a': return DAYS[weekday]!.slice(0, 3);
      case 'H': return number(hours);
      case 'I': return number(hours12);
      case 'M': return number(date.getMinutes());
      case 'S': return number(date.getSeconds());
      case 'p': return hours < 12 ? 'AM' : 'PM';
      // Noons, since a day of the change to summer time has 23 hours.
      case 'j': return number(Math.round((new Date(year, month, day, 12).getTime() - new Date(year, 0, 1, 12).getTime()) / 86_400_000) + 1, 3);
      case 'w': return String(weekday);
      case 'D': return `${padded(month + 1)}/${padded(day)}/${padded(year % 100)}`;
      case 'F': return `${year}-${padded(month + 1)}-${padded(day)}`;
      case 'T': return `${padded(hours)}:${padded(date.getMinutes())}:${padded(date.getSeconds())}`;
      case '%': return '%';
      default: return directive;
    }
  });
}
