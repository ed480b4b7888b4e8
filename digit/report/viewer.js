// A 3D skeleton on a canvas: drag (or arrow keys) to turn, double-click to go back to the camera's view.
(() => {
  const { bones, colors, samples } = JSON.parse(document.getElementById("poses").textContent);
  const START = { yaw: -0.5, pitch: 0.25 };

  function view(canvas) {
    const sample = samples[Number(canvas.dataset.sample)];
    const known = [...sample.truth, ...sample.prediction].filter(Boolean);
    const anchor = sample.truth.filter(Boolean).length ? sample.truth.filter(Boolean) : known;
    const center = [0, 1, 2].map((k) => anchor.reduce((sum, p) => sum + p[k], 0) / anchor.length);
    const distances = known.map((p) => Math.hypot(...p.map((value, k) => value - center[k])));
    const radius = Math.max(60, ...distances.map((d) => Math.min(d, 260)));
    let { yaw, pitch } = START;

    function turned(point) {
      const [x, y, z] = point.map((value, k) => value - center[k]);
      const [cy, sy, cp, sp] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
      const [x1, z1] = [cy * x + sy * z, -sy * x + cy * z];
      return [x1, cp * y - sp * z1, sp * y + cp * z1];
    }

    function draw() {
      const ratio = window.devicePixelRatio || 1;
      const size = canvas.clientWidth;
      if (!size) return;
      canvas.width = canvas.height = Math.round(size * ratio);
      const pen = canvas.getContext("2d");
      pen.scale(ratio, ratio);
      pen.lineCap = "round";
      const style = getComputedStyle(document.documentElement);
      const ghost = style.getPropertyValue("--mean");
      const scale = (0.44 * size) / radius;
      const project = ([x, y, z]) => {
        const near = (3.2 * radius) / (3.2 * radius + z);
        return [size / 2 + x * scale * near, size / 2 + y * scale * near, near];
      };
      ground(pen, project, style.getPropertyValue("--grid"));
      const lines = [];
      for (const [name, points] of [["truth", sample.truth], ["prediction", sample.prediction]]) {
        const moved = points.map((p) => p && turned(p));
        bones.forEach(([child, parent], k) => {
          if (!moved[child] || !moved[parent]) return;
          const depth = (moved[child][2] + moved[parent][2]) / 2;
          lines.push({ name, depth, from: project(moved[parent]), to: project(moved[child]), color: colors[k] });
        });
      }
      lines.sort((a, b) => b.depth - a.depth);
      for (const { name, from, to, color } of lines) {
        pen.strokeStyle = name === "truth" ? ghost : color;
        pen.globalAlpha = name === "truth" ? 0.55 : 1;
        pen.lineWidth = (name === "truth" ? 5 : 2.6) * from[2] * Math.max(size / 200, 0.7);
        pen.beginPath();
        pen.moveTo(from[0], from[1]);
        pen.lineTo(to[0], to[1]);
        pen.stroke();
      }
      pen.globalAlpha = 1;
    }

    // A wire cube that shows how the view is turned.
    function ground(pen, project, color) {
      const h = 0.55 * radius;
      const corner = (k) => [k & 1 ? h : -h, k & 2 ? h : -h, k & 4 ? h : -h].map((value, axis) => value + center[axis]);
      pen.strokeStyle = color;
      pen.lineWidth = 1;
      pen.beginPath();
      for (let a = 0; a < 8; a++) {
        for (const bit of [1, 2, 4]) {
          if (a & bit) continue;
          const [from, to] = [project(turned(corner(a))), project(turned(corner(a | bit)))];
          pen.moveTo(from[0], from[1]);
          pen.lineTo(to[0], to[1]);
        }
      }
      pen.stroke();
    }

    function turn(dx, dy) {
      yaw -= dx;
      pitch = Math.max(-1.6, Math.min(1.6, pitch + dy));
      draw();
    }

    canvas.addEventListener("pointerdown", (event) => canvas.setPointerCapture(event.pointerId));
    canvas.addEventListener("pointermove", (event) => {
      if (event.buttons) turn(event.movementX * 0.012, event.movementY * 0.012);
    });
    canvas.addEventListener("dblclick", () => {
      [yaw, pitch] = [0, 0];
      draw();
    });
    canvas.addEventListener("keydown", (event) => {
      const step = { ArrowLeft: [0.15, 0], ArrowRight: [-0.15, 0], ArrowUp: [0, 0.15], ArrowDown: [0, -0.15] }[event.key];
      if (step) {
        event.preventDefault();
        turn(...step);
      }
    });
    new ResizeObserver(draw).observe(canvas);
    matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
    draw();
  }

  document.querySelectorAll("canvas[data-sample]").forEach(view);
})();
