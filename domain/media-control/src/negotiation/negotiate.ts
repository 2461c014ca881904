import type { Result } from "@parley/foundation";
import type { IceCredentials, Negotiated, NegotiationError, NegotiationOptions } from "./negotiation.ts";
import type { IceGrant } from "./grant-parts.ts";

/** Answers an offer: the client always offers. Throws nothing. */
export function negotiate(offerSdp: string, options: NegotiationOptions): Result<Negotiated, NegotiationError> {
  throw new Error(`not yet ${offerSdp.length} ${options.sdpSessionId}`);
}

/** The ICE part after a restart without a new offer (a WHIP PATCH): the old credentials stay as the previous ones. */
export function restartedIce(current: IceGrant, remote: IceCredentials, local: IceCredentials): IceGrant {
  throw new Error(`not yet ${current.localUfrag} ${remote.ufrag} ${local.ufrag}`);
}
