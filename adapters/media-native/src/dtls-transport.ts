import type { DtlsOptions, DtlsResult, DtlsTransport, SrtpProfile } from "@parley/domain-media-control";
import type { NativeDtlsTransport } from "@parley/native";
import { addon } from "./addon.ts";
import { nativeCertificate } from "./certificate.ts";

/** RFC 5764 4.1.2 and RFC 7714 14.2. */
const PROFILE_NUMBERS: Readonly<Record<SrtpProfile, number>> = {
  AES128_CM_SHA1_80: 0x0001,
  AEAD_AES_128_GCM: 0x0007,
  AEAD_AES_256_GCM: 0x0008,
};

/** A handshake in the addon. */
export class NativeDtls implements DtlsTransport {
  readonly native: NativeDtlsTransport;

  /** Throws when the certificate was not made by this adapter. */
  constructor(options: DtlsOptions) {
    const certificate = nativeCertificate(options.certificate);
    if (certificate === undefined) throw new TypeError("the certificate must come from loadCertificate");
    this.native = new (addon().DtlsTransport)(
      certificate,
      options.role === "client",
      options.remoteFingerprints.map((each) => [each.algorithm.toLowerCase(), each.value] as const),
      options.srtpProfiles.map((profile) => PROFILE_NUMBERS[profile]),
    );
  }

  receive(datagram: Uint8Array): DtlsResult {
    return this.native.receive(datagram);
  }

  timeout(): DtlsResult {
    return this.native.timeout();
  }

  close(): DtlsResult {
    return this.native.close();
  }
}
