/** @file One turn of a conversation, in the words of chat templates. */

/** What a chat template renders; templates of real models also read other fields, such as `tool_calls`. */
export interface ChatMessage {
  /** `system`, `user`, `assistant` or `tool`. */
  readonly role: string;
  readonly content: string;
  readonly [field: string]: unknown;
}
