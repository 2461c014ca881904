/** Chat over data messages: plain text with this topic. */
export const chatTopic = "chat";

/** A data message may have 16 kB; people write less, and four bytes a character fit. */
export const maxChatLength = 2000;
const maxKept = 500;

export interface ChatMessage {
  readonly key: number;
  readonly from: string;
  readonly isOwn: boolean;
  readonly text: string;
  readonly atUnixMs: number;
  /** The server or the network refused it. */
  readonly failed: boolean;
}

/** The text of a message, or undefined when it is none: not UTF-8, empty, or too long. */
export function readChat(payload: Uint8Array): string | undefined {
  let text: string;
  try {
    text = new TextDecoder("utf-8", { fatal: true }).decode(payload);
  } catch {
    return undefined;
  }
  const tidy = tidyChat(text);
  return tidy === "" || text.length > maxChatLength ? undefined : tidy;
}

/** Without control characters (line breaks stay) and space around. */
export function tidyChat(text: string): string {
  return text
    .replaceAll("\r\n", "\n")
    .replace(/[^\P{Cc}\n\t]/gu, "")
    .trim();
}

/** What is said, oldest first; a long meeting keeps the end. */
export function appendChat(messages: readonly ChatMessage[], message: ChatMessage): readonly ChatMessage[] {
  return [...messages.slice(-(maxKept - 1)), message];
}

/** A text in pieces, so that addresses in it can be links. Only http and https: nothing else is safe to click. */
export function linkPieces(text: string): readonly { readonly text: string; readonly href?: string }[] {
  const pieces: { text: string; href?: string }[] = [];
  let end = 0;
  for (const match of text.matchAll(/https?:\/\/[^\s<>"']+[^\s<>"'.,;:!?)\]]/g)) {
    if (match.index > end) pieces.push({ text: text.slice(end, match.index) });
    pieces.push({ text: match[0], href: match[0] });
    end = match.index + match[0].length;
  }
  if (end < text.length) pieces.push({ text: text.slice(end) });
  return pieces;
}
