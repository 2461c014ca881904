/** Limits of connections. Every one may be set by the operator. */
export interface ConnectionPolicy {
  /** A socket without a connect frame is closed after this. Two round trips of a bad mobile network fit. */
  readonly connectDeadlineMs: number;
  /**
   * The client pings when it sent nothing for this long; silence of twice that ends the socket. Shorter finds dead clients sooner and wakes
   * phones more often; over 25 s, NAT bindings of some mobile networks (30 s) are lost.
   */
  readonly heartbeatIntervalMs: number;
  /** A broken connection is kept for this long: a lift ride, not a lunch. */
  readonly resumeWindowMs: number;
  /** What is kept for a resume, per connection; more and it cannot be resumed. Memory is paid only while a client is slow or away. */
  readonly resumeBufferBytes: number;
  readonly resumeBufferFrames: number;
  /** Larger client frames end the connection. An offer of 60 sections has about 120 kB. */
  readonly maxFrameBytes: number;
  /** Frames a client may send before its token has been checked (it pipelines connect and join). */
  readonly maxPipelinedFrames: number;
  /** Frames of any kind, empty ones and WebSocket pings included: each costs some 10 us. Ten times what a busy client sends. */
  readonly framesPerSecond: number;
  readonly frameBurst: number;
  readonly requestsPerSecond: number;
  readonly requestBurst: number;
  /** Of one user, over all its connections: joins, offers and ICE restarts, each of which costs milliseconds and is told to the whole room. */
  readonly offersPerSecond: number;
  readonly offerBurst: number;
  /** Of one user: what changes something that everybody in the room is told. */
  readonly changesPerSecond: number;
  readonly changeBurst: number;
  readonly dataMessageBytes: number;
  readonly dataMessagesPerSecond: number;
  readonly dataMessageBurst: number;
  /** Requests that wait for an answer, per connection. */
  readonly maxPendingRequests: number;
  /** So many refused requests in a second end the socket: the client does not listen. */
  readonly maxRefusedPerSecond: number;
  readonly defaultDeadlineMs: number;
  readonly maxDeadlineMs: number;
  /** Above this, lossy frames are dropped: half a second of a 1 Mb/s link. */
  readonly lossyWatermarkBytes: number;
  /** Above this, the socket is closed; what is kept for the resume is not in its buffer then. */
  readonly closeWatermarkBytes: number;
  readonly maxRoomsPerConnection: number;
}

export const defaultConnectionPolicy: ConnectionPolicy = {
  connectDeadlineMs: 5_000,
  heartbeatIntervalMs: 15_000,
  resumeWindowMs: 30_000,
  resumeBufferBytes: 1 << 20,
  resumeBufferFrames: 2_000,
  maxFrameBytes: 256 << 10,
  maxPipelinedFrames: 32,
  framesPerSecond: 500,
  frameBurst: 1_000,
  requestsPerSecond: 50,
  requestBurst: 100,
  offersPerSecond: 10,
  offerBurst: 40,
  changesPerSecond: 20,
  changeBurst: 60,
  dataMessageBytes: 15_000,
  dataMessagesPerSecond: 30,
  dataMessageBurst: 60,
  maxPendingRequests: 128,
  maxRefusedPerSecond: 200,
  defaultDeadlineMs: 10_000,
  maxDeadlineMs: 60_000,
  lossyWatermarkBytes: 64 << 10,
  closeWatermarkBytes: 1 << 20,
  maxRoomsPerConnection: 32,
};
