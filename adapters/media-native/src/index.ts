export { generateCertificate, loadCertificate, type NativeDtlsCertificate } from "./certificate.ts";
export { NativeUnavailableError } from "./addon.ts";
export { NativeMediaPlane, startNativePlane, type NativePlaneOptions } from "./native-media-plane.ts";
export {
  openMediaLoad,
  type FloorResult,
  type LoadRemote,
  type LoadSnapshot,
  type LoadStates,
  type MediaLoad,
} from "./load-client.ts";
