/** What a figure has to be; `most` may be another figure of the same run. */
export interface Bar {
  readonly figure: string;
  readonly unit: string;
  readonly most: number | { readonly figure: string };
}

export interface Run {
  readonly name: string;
  readonly script: string;
  readonly args: readonly string[];
  readonly bars: readonly Bar[];
  /** Further figures worth a look, without a bar. */
  readonly shown: readonly string[];
  /** What it may take before it counts as failed. */
  readonly deadlineMs: number;
}

const minuteMs = 60_000;

function run(name: string, script: string, args: string, rest: Partial<Run>): Run {
  return { name, script, args: args.split(" "), bars: [], shown: [], deadlineMs: 4 * minuteMs, ...rest };
}

const timesFloor = (most: number): Bar => ({ figure: "ratioToFloor", unit: "times the floor", most });
const nothingLost: Bar = { figure: "lost", unit: "packets lost", most: 0 };
const noneFailed: Bar = { figure: "failed", unit: "joins failed", most: 0 };

const forwardingBars = { "burst gcm": 1.8, "burst sha1": 2.5, "spread gcm": 1.6, "spread sha1": 2.1 };

function forwarding(seconds: number): readonly Run[] {
  return [100, 500].flatMap((subscribers) =>
    Object.entries(forwardingBars).map(([kind, most]) => {
      const [profile, srtp] = kind.split(" ");
      return run(
        `${kind} ${subscribers}`,
        "bench/media.ts",
        `--profile ${profile} --srtp ${srtp} --subscribers ${subscribers} --seconds ${seconds}`,
        {
          bars: [
            timesFloor(most),
            nothingLost,
            { figure: "kbPerIdleSubscriber", unit: "kB an idle subscriber", most: 40 },
            { figure: "kbPerSubscriber", unit: "kB an active subscriber", most: 60 },
            { figure: "cpuMsPerJoin", unit: "ms of CPU a join", most: 2 },
          ],
          shown: ["cpuUsPerPacket", "floorUsPerPacket", "segmentsPerSend", "p50Us", "p99Us"],
        },
      );
    }),
  );
}

function meetings(seconds: number): readonly Run[] {
  const kinds = {
    "meeting 10x10": "--people 10",
    "five meetings 10x10": "--people 10 --meetings 5",
    "five meetings 10x10, spread": "--people 10 --meetings 5 --camera spread",
    "meeting 30x30": "--people 30",
    "meeting 30x30, half pace": "--people 30 --pace 0.5",
  };
  return Object.entries(kinds).map(([name, args]) =>
    run(name, "bench/media.ts", `--profile meeting ${args} --seconds ${seconds}`, {
      bars: [timesFloor(1.9), nothingLost],
      shown: ["cpuUsPerPacket", "floorUsPerPacket", "packetsPerSecond", "segmentsPerSend"],
    }),
  );
}

function latencies(seconds: number): readonly Run[] {
  return ["spread", "burst"].flatMap((camera) =>
    ["on", "off"].map((realtime) =>
      run(
        `latency ${camera}, real-time ${realtime}`,
        "bench/media.ts",
        `--profile latency --camera ${camera} --realtime ${realtime} --seconds ${seconds}`,
        {
          bars:
            realtime === "on"
              ? [{ figure: "lastP99Us", unit: "us to the last of 100 sends, p99", most: { figure: "barUs" } }]
              : [],
          shown: [
            ...["lastP50Us", "lastP99Us", "lastP999Us", "lastMaxUs", "burstSendP50Us"],
            ...["collections", "longestCollectionMs", "busyShare", "packetsPerSecond"],
          ],
        },
      ),
    ),
  );
}

function churn(seconds: number): Run {
  return run(`churn ${seconds} s`, "bench/media.ts", `--profile churn --seconds ${seconds}`, {
    bars: [nothingLost, noneFailed],
    shown: [
      ...["joins", "pssSlopeBytesPerJoin", "pssLowestFirstQuarterKb", "pssLowestLastQuarterKb", "pssLowestByTenthKb"],
      ...["descriptorsSlopePerMinute", "descriptorsLowest", "descriptorsHighest"],
    ],
    deadlineMs: seconds * 1000 + 3 * minuteMs,
  });
}

/** All figures; `quick`: windows of a second, to see that everything runs. */
export function allRuns(quick: boolean): readonly Run[] {
  const seconds = (usual: number): number => (quick ? 1 : usual);
  return [
    ...forwarding(seconds(8)),
    ...meetings(seconds(10)),
    ...latencies(seconds(15)),
    churn(seconds(90)),
    run("joins", "bench/media.ts", `--profile joins --seconds ${seconds(20)}`, {
      bars: [nothingLost, noneFailed],
      shown: ["joinsPerSecond", "cpuMsPerVisit", "coreShare", "p99UsWithout", "p99Us"],
    }),
    run("control", "bench/media.ts", `--profile control --seconds ${seconds(10)}`, {
      bars: [
        { figure: "mainShareOfCore", unit: "of a core for JavaScript", most: 0.4 },
        { figure: "switchingMissing", unit: "packets missing while switching", most: 0 },
      ],
      shown: [
        ...["switchesPerSecond", "switchingP99UsWithout", "switchingP99Us"],
        ...["bindUs", "bindUsInRequestsOf10", "switchingMainShareInRequestsOf10"],
      ],
    }),
    run("publishers", "bench/media.ts", `--profile publishers --seconds ${seconds(10)}`, {
      bars: [timesFloor(2.5), nothingLost],
      shown: [
        "cpuUsPerPacket",
        "floorUsPerPacket",
        "packetsPerSecond",
        "floorPacketsPerCall",
        "workerShare",
        "mainShare",
      ],
    }),
    run("growth", "bench/media.ts", `--profile growth --seconds ${seconds(8)}`, {
      bars: [
        { figure: "growth", unit: "cost, 2,000 viewers to 50", most: 1.2 },
        { figure: "growthToFloor", unit: "cost in floors, 2,000 viewers to 50", most: 1.2 },
        { figure: "growthWithoutFeedback", unit: "the same, viewers report once a second", most: 1.2 },
        { figure: "highestToLowest", unit: "highest to lowest cost, 50 to 2,000", most: 1.2 },
        { figure: "twoThreadsToOne", unit: "two threads to one", most: 1.15 },
        nothingLost,
      ],
      shown: ["floorGrowth"],
      deadlineMs: 15 * minuteMs,
    }),
    run("bind and join", "bench/control.ts", quick ? "--binds 100 --joins 10" : "--binds 2000 --joins 300", {
      bars: [
        { figure: "bindP50Us", unit: "us a bind", most: 50 },
        { figure: "cpuMsPerJoin", unit: "ms of CPU a join", most: 2 },
      ],
      shown: ["bindP99Us", "cpuUsPerBind", "joinsPerSecond", "mainMsPerJoin", "v8MsPerJoin", "dataPlaneMsPerJoin"],
    }),
    ...["", " --tls"].map((tls) =>
      run(`first frame${tls === "" ? "" : ", TLS"}`, "bench/join.ts", `--runs ${quick ? 1 : 5}${tls}`, {
        bars: [{ figure: "roundTrips", unit: "round trips", most: tls === "" ? 6.2 : 7.2 }],
      }),
    ),
    run("sizing", "apps/parley/src/main.ts", `bench media --seconds ${seconds(3)}`, { shown: ["verdict"] }),
  ];
}

/** The hour of churn, by itself. */
export const churnHour = (): Run => churn(3600);
