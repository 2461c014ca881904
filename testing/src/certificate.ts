import { execFile } from "node:child_process";
import { promisify } from "node:util";

/**
 * A self-signed certificate for 127.0.0.1 and localhost, written as PEM (by the openssl program).
 *
 * @throws when openssl is missing.
 */
export async function writeCertificate(files: { readonly certFile: string; readonly keyFile: string }): Promise<void> {
  await promisify(execFile)("openssl", [
    ...["req", "-x509", "-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes", "-days", "2"],
    ...["-keyout", files.keyFile, "-out", files.certFile, "-subj", "/CN=localhost"],
    ...["-addext", "subjectAltName=DNS:localhost,IP:127.0.0.1"],
  ]);
}
