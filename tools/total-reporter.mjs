// A reporter of node:test that writes one JSON line with the totals at the end of a run.
export default async function* totals(events) {
  const counts = { passed: 0, failed: 0, skipped: 0, todo: 0 };
  for await (const event of events) {
    // Suites, and files that stand for the tests in them, are no tests of their own.
    if (event.type !== "test:pass" && event.type !== "test:fail") continue;
    const { details, skip, todo } = event.data;
    if (details?.type === "suite" && event.type === "test:pass") continue;
    // A parent fails with its subtests; count the failure where it happened.
    if (details?.error?.failureType === "subtestsFailed") continue;
    if (skip !== undefined && skip !== false) counts.skipped += 1;
    else if (todo !== undefined && todo !== false) counts.todo += 1;
    else if (event.type === "test:pass") counts.passed += 1;
    else counts.failed += 1;
  }
  yield `${JSON.stringify(counts)}\n`;
}
