const reasons: Readonly<Record<string, string>> = {
  EADDRINUSE: "it is in use",
  EACCES: "it is not ours to take",
  EADDRNOTAVAIL: "this machine has no such address",
};

/** What is to be changed when a port cannot be opened; undefined: `error` is something else. */
export function portProblem(error: unknown): string | undefined {
  if (!(error instanceof Error)) return undefined;
  const {
    message,
    code = "",
    syscall,
    address,
    port,
  } = error as NodeJS.ErrnoException & { address?: string; port?: number };
  if (syscall === "listen") {
    return `cannot listen on ${address ?? "any address"} port ${port}: ${reasons[code] ?? code} (see http.host and http.port)`;
  }
  const [, protocol] = /^bind (UDP|TCP) /.exec(message) ?? [];
  if (protocol === undefined) return undefined;
  return `${message} (see media.bind and media.${protocol.toLowerCase()}Port)`;
}
