import type { MessageInitShape } from "@bufbuild/protobuf";
import type {
  BindSlotsSchema,
  OpenSessionSchema,
  SectionSchema,
  SessionAnswer,
  SlotResult,
  UpdateSessionSchema,
} from "@parley/protocol";

export type OpenSessionInit = MessageInitShape<typeof OpenSessionSchema>;
export type SectionInit = MessageInitShape<typeof SectionSchema>;

/** What a session asks of the room. All reject with a ParleyError. */
export interface SessionRequests {
  open(request: OpenSessionInit): Promise<SessionAnswer>;
  update(request: MessageInitShape<typeof UpdateSessionSchema>): Promise<SessionAnswer>;
  bind(request: MessageInitShape<typeof BindSlotsSchema>): Promise<readonly SlotResult[]>;
  close(session: string): Promise<void>;
}
