"use strict";
// Fills the page from the JSON elements that the writer put beside this script. No globals leak out.
(() => {
  const page = JSON.parse(document.getElementById("page").textContent);
  const NAMES = {
    no_at_fault_collisions: "No collision", drivable_area_compliance: "On road", ego_progress: "Progress",
    time_to_collision_within_bound: "Time to collision", comfort: "Comfort",
    driving_direction_compliance: "Direction", score: "Score", success: "Success",
  };
  const KINDS = { vehicle: "vehicle", pedestrian: "pedestrian", cyclist: "cyclist" };
  const LIGHT = ["", "#1f9d55", "#e0a400", "#d92d20"];
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue("--" + name).trim();

  function element(tag, attributes = {}, ...children) {
    const made = document.createElement(tag);
    for (const [name, value] of Object.entries(attributes)) {
      if (value === null || value === undefined) continue;
      if (name === "class") made.className = value; else made.setAttribute(name, value);
    }
    made.append(...children);
    return made;
  }

  const known = (value) => value !== null && value !== undefined;
  const percent = (value) => (known(value) ? (100 * value).toFixed(1) : "–");
  function grade(value) {
    if (!known(value)) return "none";
    return value >= 0.95 ? "good" : value >= 0.5 ? "fair" : "bad-pill";
  }
  function shown(name, value) {
    if (!known(value)) return "–";
    return name === "success" ? (value ? "yes" : "no") : value.toFixed(name === "ego_progress" || name === "score" ? 2 : 1);
  }
  const why = (row, name) => name + (row.reasons[name] ? ": " + row.reasons[name] : "");

  // ---- summary -----------------------------------------------------------------------------------

  function summary() {
    const { counts, columns, mode, protocol, traffic } = page.summary;
    const traffics = traffic.map((t) => ({ NR: "NR (traffic replays the log)", R: "R (reactive traffic)" }[t] || t));
    document.getElementById("labels").textContent =
      [["scoring", mode], ["protocol", protocol], ["traffic", traffics]].filter((x) => x[1].length)
        .map((x) => x[0] + " " + x[1].join(", ")).join("  ·  ");
    const target = document.getElementById("summary");
    const interval = (c) => known(c.low) ? `95 % between ${percent(c.low)} and ${percent(c.high)}` : "not known";
    target.append(element("div", { class: "panel" }, element("div", { class: "name" }, "PDM score"),
      element("div", { class: "big" }, percent(columns.score.mean)),
      element("div", { class: "name" }, interval(columns.score), element("br"), `over ${columns.score.n} scenarios`)));
    target.append(element("div", { class: "panel" }, element("div", { class: "name" }, "Success, %"),
      element("div", { class: "big" }, percent(columns.success.mean)),
      element("div", { class: "name" }, interval(columns.success), element("br"),
        `${counts.ok} of ${counts.total} ran, ${counts.failed} failed` +
        (counts.unscored ? `, ${counts.unscored} without total` : ""))));
    const bars = element("div", { class: "bars" });
    for (const name of page.columns.slice(0, 6)) {
      const column = columns[name], bar = element("div", { class: "bar" });
      if (known(column.mean)) {
        bar.append(element("i", { style: `width:${100 * column.mean}%` }));
        if (column.high > column.low) {
          bar.append(element("u", { style: `left:${100 * column.low}%;width:${100 * (column.high - column.low)}%` }));
        }
      }
      const unused = name === "driving_direction_compliance" ? " (weight 0)" : "";
      bars.append(element("span", { title: name }, NAMES[name] + unused), bar,
        element("span", {}, element("b", {}, percent(column.mean)), element("span", { class: "muted" }, `  n ${column.n}`)));
    }
    target.append(element("div", { class: "panel" }, bars));
    document.getElementById("count").textContent = `${page.rows.length}, worst first`;
    document.getElementById("footer").textContent = `table hash ${page.hash}. Bars show means, brackets 95 % bootstrap intervals. ` +
      "– means not known; hover for the reason. Failed runs have no score and are left out of means.";
  }

  // ---- table -------------------------------------------------------------------------------------

  const sorting = { key: null, down: false };
  const fields = ["token", "score", "success", ...page.columns.slice(0, 6), "what"];
  function text(row) { return row.status === "failed" ? row.error : row.blame; }
  function value(row, key) {
    if (key === "token") return row.token;
    if (key === "what") return text(row);
    return row.values[key];
  }

  function table() {
    const head = element("tr");
    for (const key of fields) {
      const label = key === "token" ? "Scenario" : key === "what" ? "What went wrong" : NAMES[key];
      const button = element("button", { type: "button", title: "Sort by " + (key === "what" ? "failure" : key) }, label);
      const cell = element("th", { scope: "col" }, button);
      button.addEventListener("click", () => {
        sorting.down = sorting.key === key ? !sorting.down : false;
        sorting.key = key;
        for (const other of head.children) other.removeAttribute("aria-sort");
        cell.setAttribute("aria-sort", sorting.down ? "descending" : "ascending");
        body();
      });
      head.append(cell);
    }
    document.querySelector("#table thead").append(head);
    body();
  }

  function body() {
    const order = page.rows.map((row, index) => [row, index]);
    if (sorting.key) {
      const sign = sorting.down ? -1 : 1;
      order.sort(([a, i], [b, j]) => {
        const x = value(a, sorting.key), y = value(b, sorting.key);
        if (known(x) !== known(y)) return known(x) ? -1 : 1;
        return (x < y ? -sign : x > y ? sign : 0) || i - j;
      });
    }
    const rows = order.map(([row, index]) => {
      const line = element("tr", row.animated ? { class: "link", tabindex: "0" } : {});
      line.append(element("td", { class: "token" }, row.token));
      for (const name of fields.slice(1, -1)) {
        const failed = row.status === "failed";
        const pill = element("span", { class: "pill " + (failed && name === "score" ? "bad-pill" : grade(row.values[name])), title: failed ? row.error : why(row, name) },
          failed && name === "score" ? "failed" : shown(name, row.values[name]));
        line.append(element("td", { class: "num" }, pill));
      }
      line.append(element("td", { class: "what" + (row.status === "failed" || row.values.success === 0 ? " bad" : "") }, text(row)));
      if (row.animated) {
        const open = () => { const card = document.getElementById("card-" + index); card.scrollIntoView({ behavior: "smooth" }); card.start(); };
        line.addEventListener("click", open);
        line.addEventListener("keydown", (event) => { if (event.key === "Enter") open(); });
      }
      return line;
    });
    document.querySelector("#table tbody").replaceChildren(...rows);
  }

  // ---- scenes ------------------------------------------------------------------------------------

  function undelta(numbers, columns) {
    const rows = [], last = new Array(columns).fill(0);
    for (let i = 0; i < numbers.length; i += columns) {
      for (let k = 0; k < columns; k++) last[k] += numbers[i + k];
      rows.push(last.slice());
    }
    return rows;
  }

  function unpack(index) {
    const scene = JSON.parse(document.getElementById("scene-" + index).textContent);
    scene.ego = undelta(scene.ego, 3);
    scene.logged = undelta(scene.logged, 2);
    scene.plans = scene.plans.map((plan) => undelta(plan, 2));
    for (const key of Object.keys(scene.map)) scene.map[key] = scene.map[key].map((line) => undelta(line, 2));
    for (const agent of scene.agents) {
      agent.at = new Array(scene.frames).fill(null);
      for (const [start, numbers] of agent.spans) undelta(numbers, 3).forEach((pose, k) => { agent.at[start + k] = pose; });
    }
    for (const light of scene.lights) { light.at = undelta(light.at, 2)[0]; light.line = undelta(light.line, 2); }
    scene.images = scene.images.map((data) => "data:image/jpeg;base64," + data);
    return scene;
  }

  function polyline(context, points, closed) {
    points.forEach(([x, y], i) => (i ? context.lineTo(x, y) : context.moveTo(x, y)));
    if (closed) context.closePath();
  }

  function fill(context, rings, color) {
    if (!rings || !rings.length) return;
    context.beginPath();
    for (const ring of rings) polyline(context, ring, true);
    context.fillStyle = color;
    context.fill("evenodd");
  }

  function stroke(context, lines, color, width, dash = []) {
    if (!lines || !lines.length) return;
    context.beginPath();
    for (const line of lines) polyline(context, line, false);
    context.strokeStyle = color;
    context.lineWidth = width;
    context.setLineDash(dash);
    context.stroke();
    context.setLineDash([]);
  }

  function outline(context, rings, color, width, dash = []) {
    if (rings) stroke(context, rings.map((ring) => [...ring, ring[0]]), color, width, dash);
  }

  function box(context, pose, length, width, color, shift = 0) {
    context.save();
    context.translate(pose[0], pose[1]);
    context.rotate(pose[2] / 1000);
    context.translate(shift, 0);
    context.beginPath();
    context.roundRect(-length / 2, -width / 2, length, width, Math.min(length, width) * 0.22);
    context.fillStyle = color;
    context.fill();
    if (length > 250) {
      context.beginPath();
      context.moveTo(length * 0.44, 0);
      context.lineTo(length * 0.2, width * 0.3);
      context.lineTo(length * 0.2, -width * 0.3);
      context.closePath();
      context.fillStyle = "rgba(255,255,255,0.75)";
      context.fill();
    }
    context.restore();
  }

  // The view turns so that the first heading points right, and holds the whole drive with a margin.
  function camera(scene, width, height) {
    const angle = scene.ego[0][2] / 1000, cos = Math.cos(-angle), sin = Math.sin(-angle);
    let [x0, x1, y0, y1] = [Infinity, -Infinity, Infinity, -Infinity];
    for (const [x, y] of scene.ego) {
      const u = cos * x - sin * y, v = sin * x + cos * y;
      x0 = Math.min(x0, u); x1 = Math.max(x1, u); y0 = Math.min(y0, v); y1 = Math.max(y1, v);
    }
    x0 -= 1500; x1 += 2800; y0 -= 1500; y1 += 1500;
    const scale = Math.min(width / (x1 - x0), height / (y1 - y0), width / 7000);
    return { angle, scale, u: (x0 + x1) / 2, v: (y0 + y1) / 2 };
  }

  function draw(canvas, scene, frame, row) {
    const ratio = window.devicePixelRatio || 1, width = canvas.clientWidth, height = canvas.clientHeight;
    if (!width || !height) return;
    canvas.width = Math.round(width * ratio);
    canvas.height = Math.round(height * ratio);
    const context = canvas.getContext("2d");
    const { angle, scale, u, v } = camera(scene, width, height), pixel = 1 / scale;
    context.setTransform(ratio, 0, 0, ratio, 0, 0);
    context.fillStyle = css("ground");
    context.fillRect(0, 0, width, height);
    context.save();
    context.translate(width / 2, height / 2);
    context.scale(scale, -scale);
    context.translate(-u, -v);
    context.rotate(-angle);
    context.lineJoin = context.lineCap = "round";
    drawMap(context, scene, pixel);
    drawLights(context, scene, frame, pixel);
    stroke(context, [scene.logged], css("logged"), 2 * pixel, [7 * pixel, 6 * pixel]);
    const [length, breadth, shift] = scene.size;
    const centre = ([x, y, yaw]) => [x + shift * Math.cos(yaw / 1000), y + shift * Math.sin(yaw / 1000)];
    stroke(context, [scene.ego.slice(0, frame + 1).map(centre)], css("ego"), 4 * pixel);
    drawAgents(context, scene, frame, row, pixel);
    box(context, scene.ego[frame], length, breadth, css("ego"), shift);
    drawPlan(context, scene, frame, pixel);
    if (known(row.violation) && frame * scene.dt >= row.violation - 1e-6) {
      const at = centre(scene.ego[Math.min(scene.frames - 1, Math.round(row.violation / scene.dt))]);
      context.beginPath();
      context.arc(at[0], at[1], 24 * pixel, 0, 7);
      context.strokeStyle = css("bad");
      context.lineWidth = 3 * pixel;
      context.stroke();
    }
    drawLosses(context, scene, frame, row, pixel);
    context.restore();
    scaleBar(context, scale, height);
  }

  function drawMap(context, scene, pixel) {
    const map = scene.map;
    fill(context, map.walkway, css("walk"));
    fill(context, map.surface, css("road"));
    outline(context, map.surface, css("edge"), 1.2 * pixel);
    outline(context, map.lane, css("lane"), pixel);
    fill(context, map.crosswalk, css("cross"));
    outline(context, map.crosswalk, css("edge"), pixel, [3 * pixel, 3 * pixel]);
    stroke(context, map.center, css("center"), 1.2 * pixel, [10 * pixel, 10 * pixel]);
    stroke(context, map.lane_divider, css("lane"), 1.2 * pixel);
    stroke(context, map.solid, css("edge"), 1.4 * pixel);
    stroke(context, map.road_edge, css("edge"), 2 * pixel);
    fill(context, map.stop, css("edge"));
  }

  function drawLights(context, scene, frame, pixel) {
    for (const light of scene.lights) {
      const color = LIGHT[Number(light.states[frame])];
      if (!color) continue;
      context.globalAlpha = 0.55;
      if (light.line.length > 1) stroke(context, [light.line], color, 2.5 * pixel);
      context.globalAlpha = 1;
      context.beginPath();
      context.arc(light.at[0], light.at[1], 5 * pixel, 0, 7);
      context.fillStyle = color;
      context.fill();
    }
  }

  function drawAgents(context, scene, frame, row, pixel) {
    for (const agent of scene.agents) {
      const pose = agent.at[frame];
      if (!pose) continue;
      // A pedestrian is half a metre wide: never draw anyone smaller than a few pixels.
      const length = Math.max(agent.size[0], 5 * pixel), width = Math.max(agent.size[1], 5 * pixel);
      box(context, pose, length, width, css(KINDS[agent.type] || "object"));
      if (row.losses.some((loss) => loss.agent === agent.id)) {
        context.beginPath();
        context.arc(pose[0], pose[1], Math.hypot(length, width) / 2 + 4 * pixel, 0, 7);
        context.strokeStyle = css("bad");
        context.lineWidth = 2 * pixel;
        context.setLineDash([4 * pixel, 3 * pixel]);
        context.stroke();
        context.setLineDash([]);
      }
    }
  }

  // Where something was hit or the road was left, from that moment on.
  function drawLosses(context, scene, frame, row, pixel) {
    for (const loss of row.losses) {
      if (!loss.at || frame * scene.dt < loss.time - 1e-6) continue;
      const [x, y] = loss.at, arm = 7 * pixel;
      stroke(context, [[[x - arm, y - arm], [x + arm, y + arm]], [[x - arm, y + arm], [x + arm, y - arm]]], css("bad"), 3 * pixel);
    }
  }

  function decision(scene, frame) {
    let latest = -1;
    scene.decisions.forEach((at, k) => { if (at <= frame) latest = k; });
    return latest;
  }

  function drawPlan(context, scene, frame, pixel) {
    const plan = scene.plans[decision(scene, frame)];
    if (!plan) return;
    stroke(context, [plan], css("plan"), 3 * pixel);
    context.fillStyle = css("plan");
    plan.forEach(([x, y], k) => {
      if (k === 0 || k % 10) return;
      context.beginPath();
      context.arc(x, y, 3.6 * pixel, 0, 7);
      context.fill();
    });
  }

  function scaleBar(context, scale, height) {
    const length = 1000 * scale;
    context.strokeStyle = context.fillStyle = css("label");
    context.lineWidth = 2;
    context.beginPath();
    context.moveTo(16, height - 22);
    context.lineTo(16, height - 16);
    context.lineTo(16 + length, height - 16);
    context.lineTo(16 + length, height - 22);
    context.stroke();
    context.font = "12px system-ui, sans-serif";
    context.fillText("10 m", 16 + length / 2 - 13, height - 22);
  }

  // ---- cards -------------------------------------------------------------------------------------

  const redraws = new Set();

  function card(row, index) {
    const canvas = element("canvas", { role: "img", "aria-label": "Bird's-eye view of " + row.token });
    const image = element("img", { class: "frame", alt: "Front camera of " + row.token });
    const empty = element("div", { class: "frame noframe" }, "no camera frames in this run");
    const play = element("button", { type: "button" }, "Play");
    const slider = element("input", { type: "range", min: "0", max: "1", value: "0", "aria-label": "Time" });
    const clock = element("output");
    const slide = element("div", { class: "slide" }, slider);
    const badges = element("div", { class: "badges" });
    for (const name of page.columns.slice(0, 6)) {
      badges.append(element("div", { class: "badge " + grade(row.values[name]), title: why(row, name) },
        NAMES[name], element("b", {}, shown(name, row.values[name]))));
    }
    const facts = element("div", { class: "facts" });
    for (const [name, reason] of Object.entries(row.reasons)) facts.append(element("div", {}, `${NAMES[name] || name}: ${reason}`));
    const losses = element("div", { class: "losses" });
    for (const loss of row.losses) {
      const line = element("button", { type: "button", class: loss.slight ? "slight" : "", title: "Show this moment" },
        element("b", { title: loss.name }, loss.what), element("span", {}, loss.numbers));
      line.addEventListener("click", () => { open(); stop(); frame = Math.max(0, Math.min(scene.frames - 1, Math.round(loss.time / scene.dt))); show(); });
      losses.append(line);
    }
    const trust = element("div", { class: "facts" });
    const verdict = !known(row.values.no_at_fault_collisions) ? element("span", { class: "muted" }, "not scored") : row.blame ? element("span", { class: row.values.success ? "muted" : "blame" }, row.blame)
      : element("span", { class: "fine" }, "no violation");
    const head = element("div", { class: "head" }, element("span", { class: "token" }, row.token),
      element("span", { class: "pill " + grade(row.values.score), title: why(row, "score") }, "score " + shown("score", row.values.score)),
      element("span", { class: "pill " + grade(row.values.success), title: why(row, "success") }, !known(row.values.success) ? "success not known" : row.values.success ? "success" : "no success"), verdict);
    const side = element("div", { class: "side" }, image, badges, facts, trust);
    const made = element("article", { class: "card", id: "card-" + index }, head,
      element("div", { class: "view" }, element("div", { class: "map" }, canvas), side),
      element("div", { class: "controls" }, play, slide, clock), losses, legend());

    let scene = null, frame = 0, timer = 0;
    function show() {
      if (!scene) return;
      slider.value = String(frame);
      clock.textContent = `${(frame * scene.dt).toFixed(1)} / ${((scene.frames - 1) * scene.dt).toFixed(1)} s · ${scene.speed[frame].toFixed(1)} m/s`;
      showTrust(trust, scene, decision(scene, frame));
      const source = scene.images[Math.min(decision(scene, frame), scene.images.length - 1)];
      if (source && image.src !== source) image.src = source;
      draw(canvas, scene, frame, row);
    }
    function open() {
      if (scene) return;
      scene = unpack(index);
      slider.max = String(scene.frames - 1);
      if (!scene.images.length) image.replaceWith(empty);
      for (const loss of row.losses.filter((one) => !one.slight)) {
        slide.append(element("div", { class: "tick", title: loss.what,
          style: `left:calc(8px + (100% - 16px) * ${Math.max(0, loss.time) / ((scene.frames - 1) * scene.dt)})` }));
      }
      if (known(row.violation)) {
        frame = Math.min(scene.frames - 1, Math.round(row.violation / scene.dt));
      } else frame = Math.round(scene.frames / 2);
      redraws.add(show);
      show();
    }
    // Timed by the clock, not by the display: a frame is dt long at any refresh rate.
    function run() {
      open();
      if (frame === scene.frames - 1) frame = 0;
      const first = frame, since = performance.now();
      play.textContent = "Pause";
      clearInterval(timer);
      timer = setInterval(() => {
        const next = Math.min(first + Math.floor((performance.now() - since) / (1000 * scene.dt)), scene.frames - 1);
        if (next === frame) return;
        frame = next;
        show();
        if (frame === scene.frames - 1) stop();
      }, 30);
    }
    function stop() {
      clearInterval(timer);
      timer = 0;
      play.textContent = "Play";
    }
    made.start = () => { open(); frame = 0; show(); run(); };
    play.addEventListener("click", () => { if (timer) stop(); else run(); });
    slider.addEventListener("input", () => { open(); stop(); frame = Number(slider.value); show(); });
    new IntersectionObserver((entries) => { if (entries.some((e) => e.isIntersecting)) open(); }, { rootMargin: "600px" }).observe(made);
    return made;
  }

  // How far the images of the latest decision can be trusted, and the lowest point of the drive.
  function showTrust(target, scene, latest) {
    if (!scene.trust.length) return;
    const lowest = scene.trust.reduce((low, one, k) => (one.score < scene.trust[low].score ? k : low), 0);
    const now = scene.trust[Math.max(latest, 0)], low = scene.trust[lowest];
    const reason = (one) => `${one.camera}: ${one.distance.toFixed(2)} m and ${one.angle.toFixed(1)}° from a recorded view, ` +
      `${(100 * one.coverage).toFixed(0)} % covered`;
    target.replaceChildren(
      element("div", {}, element("span", { class: "pill " + grade(now.score) }, "render trust " + now.score.toFixed(2)), " " + reason(now)),
      element("div", { class: "muted" }, `lowest ${low.score.toFixed(2)} at ${(scene.decisions[lowest] * scene.dt).toFixed(1)} s, ${reason(low)}`));
  }

  function legend() {
    const made = element("div", { class: "legend" });
    const entries = [["ego", "ego and its trail"], ["plan", "plan, a dot per second"], ["logged", "logged drive"],
      ["vehicle", "vehicle"], ["pedestrian", "pedestrian"], ["cyclist", "cyclist"], ["object", "object"]];
    for (const [color, name] of entries) made.append(element("span", {}, element("i", { style: `background:var(--${color})` }), name));
    return made;
  }

  // ---- page --------------------------------------------------------------------------------------

  const dark = window.matchMedia("(prefers-color-scheme: dark)");
  function theme(name) {
    document.documentElement.dataset.theme = name;
    for (const redraw of redraws) redraw();
  }
  const asked = location.hash.slice(1);
  theme(asked === "dark" || asked === "light" ? asked : dark.matches ? "dark" : "light");
  document.getElementById("theme").addEventListener("click", () => {
    theme(document.documentElement.dataset.theme === "dark" ? "light" : "dark");
  });
  window.addEventListener("resize", () => { for (const redraw of redraws) redraw(); });
  summary();
  table();
  const cards = document.getElementById("cards");
  if (page.rows.some((row) => row.animated)) cards.append(element("h2", {}, "Animations"));
  page.rows.forEach((row, index) => { if (row.animated) cards.append(card(row, index)); });
})();
