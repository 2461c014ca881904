/** Runs in pages of the demo's tests: drawn people for pictures that one looks at, and what a reader of a page checks. All hangs on `demoTest`. */
"use strict";

globalThis.demoTest = (() => {
  const walls = [
    ["#f3d9b1", "#c98f4e"],
    ["#b9d7ea", "#4f7ea8"],
    ["#cfe3c4", "#5f8f61"],
    ["#e8c7cf", "#9c5a74"],
    ["#d6cdea", "#6a5a9c"],
    ["#cde5e1", "#3f8580"],
    ["#ead9c7", "#8b6b57"],
    ["#c9d2e3", "#51607f"],
  ];
  const skins = ["#f1c7a5", "#8d5a3b", "#d9a06f", "#f4d3b9", "#6f4428", "#c68a5c", "#eab98f", "#a46a43"];
  const hairs = ["#3b2a20", "#16110f", "#7a4a23", "#b98b4a", "#101010", "#5c3b2a", "#8c8c92", "#2b1d17"];
  const shirts = ["#334e7a", "#8c3b4a", "#2f6f62", "#c2a23a", "#5b4a8a", "#d7dbe2", "#24303f", "#b4623a"];

  /** A drawn person before a wall, who nods a little. */
  function draw(context, seed, width, height, seconds) {
    const [light, dark] = walls[seed % 8];
    const wall = context.createLinearGradient(0, 0, width, height);
    wall.addColorStop(0, light);
    wall.addColorStop(1, dark);
    context.fillStyle = wall;
    context.fillRect(0, 0, width, height);
    context.fillStyle = "#ffffff2e";
    context.fillRect(width * 0.08, height * 0.1, width * 0.2, height * 0.42);
    context.fillStyle = "#0000001c";
    context.fillRect(width * 0.74, height * 0.34, width * 0.26, height * 0.04);
    const [x, y] = [
      width * (0.5 + 0.012 * Math.sin(seconds + seed)),
      height * (0.43 + 0.012 * Math.sin(1.7 * seconds)),
    ];
    const head = height * 0.19;
    const ellipse = (fill, cx, cy, rx, ry) => {
      context.fillStyle = fill;
      context.beginPath();
      context.ellipse(cx, cy, rx, ry, 0, 0, 2 * Math.PI);
      context.fill();
    };
    const hair = hairs[(seed * 5) % 8];
    const skin = skins[(seed * 3) % 8];
    if (seed % 2 === 0) ellipse(hair, x, y + head * 0.45, head * 1.12, head * 1.5);
    ellipse(shirts[(seed * 7) % 8], x, height * 1.08, height * 0.42, height * 0.4);
    ellipse(skin, x, y + head * 1.1, head * 0.42, head * 0.6);
    ellipse(hair, x, y - head * 0.22, head * 0.98, head * 1.08);
    ellipse(skin, x, y + head * 0.1, head * 0.84, head * 1.02);
    ellipse("#2a1c16", x - head * 0.32, y, head * 0.075, head * 0.085);
    ellipse("#2a1c16", x + head * 0.32, y, head * 0.075, head * 0.085);
    context.strokeStyle = "#00000066";
    context.lineWidth = head * 0.07;
    context.lineCap = "round";
    context.beginPath();
    context.arc(x, y + head * 0.38, head * 0.3, 0.2 * Math.PI, 0.8 * Math.PI);
    context.stroke();
  }

  /** A page of slides. */
  function drawScreen(context, width, height) {
    context.fillStyle = "#ffffff";
    context.fillRect(0, 0, width, height);
    context.fillStyle = "#20304d";
    context.font = `700 ${height * 0.075}px sans-serif`;
    context.fillText("Plan for spring", width * 0.07, height * 0.16);
    const bars = [0.35, 0.5, 0.42, 0.66, 0.8, 0.74];
    for (const [index, share] of bars.entries()) {
      context.fillStyle = index === 4 ? "#4f46e5" : "#b9c3dc";
      context.fillRect(
        width * (0.08 + index * 0.145),
        height * (0.9 - share * 0.62),
        width * 0.095,
        height * share * 0.62,
      );
    }
  }

  /** A video track of it. */
  function picture(paint, width, height, framesPerSecond) {
    const canvas = Object.assign(document.createElement("canvas"), { width, height });
    const context = canvas.getContext("2d");
    const startedAtMs = performance.now();
    const tick = () => paint(context, width, height, (performance.now() - startedAtMs) / 1000);
    tick();
    const [track] = canvas.captureStream(framesPerSecond).getVideoTracks();
    const timer = setInterval(() => {
      if (track.readyState === "ended") clearInterval(timer);
      tick();
    }, 1000 / framesPerSecond);
    return track;
  }

  const person = (seed, width = 320, height = 180) =>
    picture((context, w, h, seconds) => draw(context, seed, w, h, seconds), width, height, 6);
  const screen = () => picture(drawScreen, 1280, 720, 3);

  /** The page's own camera shows a drawn person from now on. */
  function sitBefore(seed) {
    const open = navigator.mediaDevices.getUserMedia.bind(navigator.mediaDevices);
    navigator.mediaDevices.getUserMedia = async (constraints) =>
      constraints?.video ? new MediaStream([person(seed, 640, 360)]) : open(constraints);
    navigator.mediaDevices.getDisplayMedia = async () => new MediaStream([screen()]);
  }

  // ---- reading a page ----

  const pixel = new OffscreenCanvas(1, 1).getContext("2d", { willReadFrequently: true });

  /** Red, green, blue, and alpha from 0 to 1 of any CSS colour. */
  function rgba(colour) {
    pixel.clearRect(0, 0, 1, 1);
    pixel.fillStyle = colour;
    pixel.fillRect(0, 0, 1, 1);
    const [red, green, blue, alpha] = pixel.getImageData(0, 0, 1, 1).data;
    return [red, green, blue, alpha / 255];
  }

  const over = ([r, g, b, a], [r2, g2, b2]) => [r * a + r2 * (1 - a), g * a + g2 * (1 - a), b * a + b2 * (1 - a), 1];

  /** Relative luminance (WCAG 2.2). */
  function luminance([red, green, blue]) {
    const linear = (value) => (value <= 10.31 ? value / 255 / 12.92 : ((value / 255 + 0.055) / 1.055) ** 2.4);
    return 0.2126 * linear(red) + 0.7152 * linear(green) + 0.0722 * linear(blue);
  }

  function contrast(one, other) {
    const [low, high] = [luminance(one), luminance(other)].sort((a, b) => a - b);
    return (high + 0.05) / (low + 0.05);
  }

  /** All that may be behind an element: what lies over a picture has black or white behind it, a gradient any of its colours. */
  function backgrounds(element) {
    const layers = [];
    for (let one = element; one !== null; one = one.parentElement) {
      const { backgroundColor, backgroundImage } = getComputedStyle(one);
      const colour = rgba(backgroundColor);
      const gradient = backgroundImage.match(/(?:rgba?|color|oklab|oklch|lab|lch)\([^()]*\)/g) ?? [];
      if (gradient.length > 0) layers.push([...gradient.map(rgba), [0, 0, 0, 0]]);
      if (colour[3] > 0) layers.push([colour]);
      if (colour[3] === 1) break;
      if (one.matches(".tile, .preview-picture")) {
        layers.push([
          [0, 0, 0, 1],
          [255, 255, 255, 1],
        ]);
        break;
      }
    }
    let found = [[255, 255, 255, 1]];
    for (const layer of layers.reverse()) {
      found = found.flatMap((below) => layer.map((colour) => over(colour, below)));
    }
    return found;
  }

  const isShown = (element) =>
    element.checkVisibility({ checkOpacity: true, checkVisibilityCSS: true }) && element.closest(".unseen") === null;

  const words = (element) =>
    `${element.tagName.toLowerCase()}${element.className === "" ? "" : `.${String(element.className).split(" ")[0]}`} "${(
      element.getAttribute("aria-label") ?? element.textContent
    )
      .trim()
      .slice(0, 40)}"`;

  function lowContrast(within) {
    const found = [];
    const walker = document.createTreeWalker(within, NodeFilter.SHOW_TEXT);
    const seen = new Set();
    while (walker.nextNode()) {
      const element = walker.currentNode.parentElement;
      if (walker.currentNode.data.trim() === "" || seen.has(element) || !isShown(element)) continue;
      seen.add(element);
      // Options are drawn by the browser; what cannot be used needs no contrast (WCAG 1.4.3).
      if (element.matches("option") || element.closest(":disabled") !== null) continue;
      const { color, fontSize, fontWeight } = getComputedStyle(element);
      const size = parseFloat(fontSize);
      const wanted = size >= 24 || (size >= 18.66 && Number(fontWeight) >= 700) ? 3 : 4.5;
      for (const background of backgrounds(element)) {
        const ratio = contrast(over(rgba(color), background), background);
        if (ratio < wanted) found.push(`contrast ${ratio.toFixed(2)} of ${words(element)} in ${color}`);
      }
    }
    for (const field of within.querySelectorAll("input:placeholder-shown, textarea:placeholder-shown")) {
      const { color } = getComputedStyle(field, "::placeholder");
      const [background] = backgrounds(field);
      const ratio = contrast(over(rgba(color), background), background);
      if (isShown(field) && ratio < 4.5)
        found.push(`contrast ${ratio.toFixed(2)} of the placeholder of ${words(field)}`);
    }
    return found;
  }

  /** The accessible name, as far as the demo uses its sources (accname 1.2). */
  function nameOf(element) {
    const by = element.getAttribute("aria-labelledby");
    if (by !== null)
      return by
        .split(" ")
        .map((id) => document.getElementById(id)?.textContent ?? "")
        .join(" ")
        .trim();
    const own = element.getAttribute("aria-label");
    if (own !== null) return own.trim();
    if (element.labels?.length > 0) return element.labels[0].textContent.trim();
    const copy = element.cloneNode(true);
    for (const hidden of copy.querySelectorAll("[aria-hidden=true]")) hidden.remove();
    return (copy.textContent || element.title).trim();
  }

  const focusable = "a[href], button, input, select, textarea, summary, [tabindex='0']";

  /** What is wrong with the page, in words; empty when nothing is. */
  function audit() {
    const found = [];
    const expect = (holds, text) => {
      if (!holds) found.push(text);
    };
    const modal = document.querySelector("dialog[open]");
    const within = modal ?? document.body;
    expect(document.documentElement.lang !== "", "the page has no language");
    expect(document.title !== "", "the page has no title");
    expect(document.querySelectorAll("main").length === 1, "there is not one main");
    expect(document.querySelectorAll("h1").length === 1, "there is not one h1");
    let level = 0;
    for (const heading of document.querySelectorAll("h1, h2, h3, h4")) {
      const own = Number(heading.tagName[1]);
      expect(own <= level + 1, `${words(heading)} skips a level`);
      level = own;
    }
    const ids = [...document.querySelectorAll("[id]")].map(({ id }) => id);
    expect(new Set(ids).size === ids.length, "an id is there twice");
    for (const image of document.querySelectorAll("img")) expect(image.hasAttribute("alt"), "an image has no alt");
    for (const element of within.querySelectorAll(`${focusable}, [role], video, aside, nav, section`)) {
      const isMedia = element.matches(
        "video, [role=img], [role=meter], [role=toolbar], [role=log], aside, nav, section",
      );
      const needsName = element.matches(focusable) || isMedia;
      if (!needsName || !element.checkVisibility()) continue;
      expect(nameOf(element) !== "", `${words(element)} has no name`);
      expect(element.closest("[aria-hidden=true]") === null, `${words(element)} is hidden but can have the focus`);
    }
    for (const element of within.querySelectorAll("[aria-labelledby], [aria-describedby]")) {
      for (const attribute of ["aria-labelledby", "aria-describedby"]) {
        for (const id of (element.getAttribute(attribute) ?? "").split(" ").filter((one) => one !== "")) {
          expect(document.getElementById(id) !== null, `${attribute} of ${words(element)} leads nowhere`);
        }
      }
    }
    for (const item of within.querySelectorAll("li"))
      expect(item.parentElement.matches("ul, ol"), "li outside of a list");
    for (const element of within.querySelectorAll(focusable)) {
      // Switches have their label to press on; links in a sentence are as high as it (WCAG 2.5.8).
      if (!isShown(element) || element.matches("input[type=checkbox], p a")) continue;
      const { width, height } = element.getBoundingClientRect();
      expect(width >= 24 && height >= 24, `${words(element)} is smaller than 24 px`);
      const { left, right } = element.getBoundingClientRect();
      expect(left >= -1 && right <= innerWidth + 1, `${words(element)} stands out of the window`);
    }
    if (modal !== null) {
      expect(nameOf(modal) !== "", "the dialog has no name");
      expect(modal.contains(document.activeElement), "the focus is outside of the dialog");
    }
    expect(
      document.documentElement.scrollWidth <= innerWidth,
      `wider than the window: ${document.documentElement.scrollWidth} px`,
    );
    return [...found, ...lowContrast(within), ...cutOff(within)];
  }

  /** Texts that end before they are read, without an ellipsis and without scrolling; tiles that stand out of the stage. */
  function cutOff(within) {
    const found = [];
    for (const element of within.querySelectorAll("button, p, span, strong, h1, h2, h3, small, dd, dt")) {
      if (!isShown(element) || element.scrollWidth <= element.clientWidth + 1 || element.clientWidth === 0) continue;
      const { overflowX, textOverflow, display } = getComputedStyle(element);
      if (display === "inline" || (overflowX !== "visible" && textOverflow === "ellipsis")) continue;
      found.push(`${words(element)} is ${element.scrollWidth - element.clientWidth} px too wide`);
    }
    const stage = document.querySelector(".stage-area")?.getBoundingClientRect();
    for (const tile of document.querySelectorAll(".tile")) {
      const { left, top, right, bottom } = tile.getBoundingClientRect();
      const isInside =
        left >= stage.left - 1 && top >= stage.top - 1 && right <= stage.right + 1 && bottom <= stage.bottom + 1;
      if (!isInside) found.push(`${words(tile)} stands out of the stage`);
    }
    return found;
  }

  /** What has the focus: how a screen reader calls it, and whether one sees that it has it. */
  function focused() {
    const { activeElement: element } = document;
    if (element === null || element === document.body) return { name: "", tag: "", isSeen: false, isInDialog: false };
    const { outlineStyle, outlineWidth } = getComputedStyle(element);
    return {
      name: nameOf(element),
      tag: element.tagName.toLowerCase(),
      isSeen: outlineStyle !== "none" && parseFloat(outlineWidth) >= 2,
      isInDialog: element.closest("dialog") !== null,
    };
  }

  return { person, screen, sitBefore, audit, focused };
})();
