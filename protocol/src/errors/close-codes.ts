/**
 * WebSocket close codes of /v1/connect (RFC 6455 7.4.2: 4000 to 4999 are for applications). They say only what to do next; the
 * reason is in the `Disconnect` frame before. A close without any of these (1006 and others) is to be taken as `resume`.
 * `docs/specs/protocol.md` has the same table; a test keeps them in step.
 */
export const closeCodes = {
  resume: { code: 4000, action: "Connect again at once and resume." },
  later: { code: 4001, action: "Connect again after retry_after_ms and resume; another server may answer." },
  ended: { code: 4002, action: "Do not come back by yourself." },
  "new-token": { code: 4003, action: "Get a new token, then connect again and resume." },
  replaced: { code: 4004, action: "Nothing: a newer socket has taken this connection over." },
} as const satisfies Readonly<Record<string, { readonly code: number; readonly action: string }>>;

export type CloseCodeName = keyof typeof closeCodes;

/** The name of a code from the wire; undefined for codes that are not ours. */
export function closeCodeName(code: number): CloseCodeName | undefined {
  return (Object.keys(closeCodes) as CloseCodeName[]).find((name) => closeCodes[name].code === code);
}
