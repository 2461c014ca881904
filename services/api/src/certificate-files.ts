import { readFileSync } from "node:fs";
import { createSecureContext } from "node:tls";
import type { Clock, Logger, Timer } from "@parley/foundation";

export interface Certificate {
  readonly cert: Buffer;
  readonly key: Buffer;
}

/** Renewed certificates are there for weeks before the old ones expire; a look every two seconds costs two reads of some kilobytes. */
const lookMs = 2_000;

/**
 * A certificate and its key from PEM files. @throws when they cannot be read or do not belong together: at the start that is a fault
 * of the configuration.
 */
export function readCertificate(files: { readonly certFile: string; readonly keyFile: string }): Certificate {
  const certificate = { cert: readFileSync(files.certFile), key: readFileSync(files.keyFile) };
  createSecureContext(certificate);
  return certificate;
}

/**
 * Calls `onChange` with the new certificate after either file has changed and both fit again. Contents are compared, not times: renewers
 * replace links, and the two files are not written at once.
 */
export function watchCertificate(
  files: { readonly certFile: string; readonly keyFile: string },
  current: Certificate,
  deps: { readonly clock: Clock; readonly logger: Logger },
  onChange: (certificate: Certificate) => void,
): Timer {
  let known = current;
  let complained = "";
  return deps.clock.every(lookMs, () => {
    try {
      const cert = readFileSync(files.certFile);
      const key = readFileSync(files.keyFile);
      if (cert.equals(known.cert) && key.equals(known.key)) return;
      createSecureContext({ cert, key });
      known = { cert, key };
      complained = "";
      onChange(known);
    } catch (error) {
      const message = error instanceof Error ? error.message : String(error);
      // Once per fault: it is looked at every two seconds.
      if (message !== complained)
        deps.logger.warn("the new certificate cannot be used, the old one stays", { reason: message });
      complained = message;
    }
  });
}
