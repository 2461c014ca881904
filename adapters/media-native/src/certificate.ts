import type { DtlsCertificate } from "@parley/domain-media-control";
import type { NativeCertificate } from "@parley/native";
import { addon } from "./addon.ts";

/** A certificate with its key, which can be kept in files. The key is a secret. */
export interface NativeDtlsCertificate extends DtlsCertificate {
  readonly certificatePem: string;
  readonly keyPem: string;
}

const handles = new WeakMap<DtlsCertificate, object>();

/** A new self-signed ECDSA P-256 certificate. */
export function generateCertificate(): NativeDtlsCertificate {
  const native = addon().generateCertificate();
  if (native === undefined) throw new Error("OpenSSL made no certificate");
  return wrap(native);
}

/** Throws when the texts are no certificate and key, or do not belong together. */
export function loadCertificate(certificatePem: string, keyPem: string): NativeDtlsCertificate {
  const native = addon().loadCertificate(certificatePem, keyPem);
  if (native === undefined) throw new Error("the DTLS certificate and key cannot be read or do not belong together");
  return wrap(native);
}

/** The addon's object of a certificate made here; undefined for any other. */
export function nativeCertificate(certificate: DtlsCertificate): object | undefined {
  return handles.get(certificate);
}

function wrap(native: NativeCertificate): NativeDtlsCertificate {
  const certificate = {
    fingerprint: native.fingerprint,
    certificatePem: native.certificatePem,
    keyPem: native.keyPem,
  };
  handles.set(certificate, native.native);
  return certificate;
}
