#!/usr/bin/env node
import "./heap.ts";
import "./compile-cache.ts";

// What is imported above was compiled before there was a cache.
await import("./commands.ts");
