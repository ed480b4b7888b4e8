// Hands in 3D on a canvas: drag or use the arrow keys to turn, + and - to zoom, double-click for the camera's view.
// viewHands(canvas, { bones, colors }, layers) draws layers { points, ghost, mesh } in the camera's frame, mm: points are
// 42 joints (null where unknown) and mesh, if any, { vertices: [x, y, z, ...], faces: [a, b, c, ...], color: [r, g, b] }.
// It returns { show(layers) }, which draws others from the same side.
function viewHands(canvas, { bones, colors }, layers) {
  const FARTHEST_MM = 2000;
  let [yaw, pitch, zoom] = [-0.5, 0.25, 1];
  let [center, radius] = [[0, 0, 0], 60];

  function look() {
    const known = layers.flatMap((layer) => layer.points.filter(Boolean));
    const ghosts = layers.filter((layer) => layer.ghost).flatMap((layer) => layer.points.filter(Boolean));
    const anchor = ghosts.length ? ghosts : known;
    if (!anchor.length) return;
    center = [0, 1, 2].map((k) => anchor.reduce((sum, p) => sum + p[k], 0) / anchor.length);
    const farthest = ghosts.length ? 260 : FARTHEST_MM;
    const distances = known.map((p) => Math.hypot(...p.map((value, k) => value - center[k])));
    radius = Math.max(60, ...distances.map((d) => Math.min(d, farthest)));
  }

  function turner() {
    const [cy, sy, cp, sp] = [Math.cos(yaw), Math.sin(yaw), Math.cos(pitch), Math.sin(pitch)];
    return (px, py, pz) => {
      const [x, y, z] = [px - center[0], py - center[1], pz - center[2]];
      const [x1, z1] = [cy * x + sy * z, -sy * x + cy * z];
      return [x1, cp * y - sp * z1, sp * y + cp * z1];
    };
  }

  function draw() {
    const size = canvas.clientWidth;
    if (!size) return;
    const ratio = window.devicePixelRatio || 1;
    canvas.width = canvas.height = Math.round(size * ratio);
    const pen = canvas.getContext("2d");
    pen.scale(ratio, ratio);
    pen.lineCap = "round";
    pen.lineJoin = "round";
    const style = getComputedStyle(document.documentElement);
    const scale = (0.44 * size * zoom) / radius;
    const turned = turner();
    const project = ([x, y, z]) => {
      const near = (3.2 * radius) / Math.max(3.2 * radius + z, 0.2 * radius);
      return [size / 2 + x * scale * near, size / 2 + y * scale * near, near];
    };
    cube(pen, turned, project, style.getPropertyValue("--grid"));
    const pieces = layers.flatMap((layer) => [...sticks(layer, turned, project), ...triangles(layer, turned, project)]);
    pieces.sort((a, b) => b.depth - a.depth);
    for (const { ghost, ends, color, width, fill } of pieces) {
      pen.globalAlpha = ghost ? 0.55 : 1;
      pen.strokeStyle = ghost ? style.getPropertyValue("--mean") : color;
      pen.lineWidth = fill ? 0.6 : width * Math.max(size / 200, 0.7);
      pen.beginPath();
      ends.forEach(([x, y], k) => (k ? pen.lineTo(x, y) : pen.moveTo(x, y)));
      if (fill) {
        pen.closePath();
        pen.fillStyle = color;
        pen.fill();
      }
      pen.stroke();
    }
    pen.globalAlpha = 1;
  }

  function sticks({ points, ghost }, turned, project) {
    const moved = points.map((p) => p && turned(...p));
    return bones.flatMap(([child, parent], k) => {
      if (!moved[child] || !moved[parent]) return [];
      const ends = [project(moved[parent]), project(moved[child])];
      const depth = (moved[child][2] + moved[parent][2]) / 2;
      return [{ ghost, depth, ends, color: colors[k], width: (ghost ? 5 : 2.6) * ends[0][2] }];
    });
  }

  // Faces that look at the viewer, lit from there.
  function triangles({ mesh }, turned, project) {
    if (!mesh) return [];
    const { vertices, faces, color } = mesh;
    const moved = [];
    for (let k = 0; k < vertices.length; k += 3) moved.push(turned(vertices[k], vertices[k + 1], vertices[k + 2]));
    const shown = moved.map(project);
    const pieces = [];
    for (let k = 0; k < faces.length; k += 3) {
      const [a, b, c] = [faces[k], faces[k + 1], faces[k + 2]];
      const [p, q, r] = [shown[a], shown[b], shown[c]];
      if ((q[0] - p[0]) * (r[1] - p[1]) - (q[1] - p[1]) * (r[0] - p[0]) >= 0) continue;
      const [u, v] = [moved[b], moved[c]].map((point) => point.map((value, axis) => value - moved[a][axis]));
      const normal = [u[1] * v[2] - u[2] * v[1], u[2] * v[0] - u[0] * v[2], u[0] * v[1] - u[1] * v[0]];
      const light = 0.35 + (0.65 * Math.abs(normal[2])) / (Math.hypot(...normal) || 1);
      const depth = (moved[a][2] + moved[b][2] + moved[c][2]) / 3;
      const tone = `rgb(${color.map((channel) => Math.round(channel * light)).join()})`;
      pieces.push({ depth, ends: [p, q, r], color: tone, fill: true });
    }
    return pieces;
  }

  // A wire cube that shows how the view is turned.
  function cube(pen, turned, project, color) {
    const h = 0.55 * radius;
    const corner = (k) => [k & 1 ? h : -h, k & 2 ? h : -h, k & 4 ? h : -h].map((value, axis) => value + center[axis]);
    pen.strokeStyle = color;
    pen.lineWidth = 1;
    pen.beginPath();
    for (let a = 0; a < 8; a++) {
      for (const bit of [1, 2, 4]) {
        if (a & bit) continue;
        const [from, to] = [project(turned(...corner(a))), project(turned(...corner(a | bit)))];
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
    [yaw, pitch, zoom] = [0, 0, 1];
    draw();
  });
  const turns = { ArrowLeft: [0.15, 0], ArrowRight: [-0.15, 0], ArrowUp: [0, 0.15], ArrowDown: [0, -0.15] };
  const zooms = { "+": 1.15, "=": 1.15, "-": 1 / 1.15 };
  canvas.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || !(event.key in turns || event.key in zooms)) return;
    event.preventDefault();
    event.stopPropagation();
    if (event.key in zooms) zoom = Math.max(0.3, Math.min(6, zoom * zooms[event.key]));
    turn(...(turns[event.key] || [0, 0]));
  });
  new ResizeObserver(draw).observe(canvas);
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", draw);
  const show = (others) => {
    layers = others;
    look();
    draw();
  };
  show(layers);
  return { show };
}
