// What is known of one picture (an entry of digit/pages/entry.py), over the picture and as layers of the 3D viewer.

// The 42 joints of a crop, null where a hand is absent; key is "px" or "cam".
function jointsOf(crop, key) {
  return crop.hands.flatMap((hand) => hand[key] || Array(21).fill(null));
}

// surfaces are { faces, color } of the right and the left hand's mesh; none where no meshes were fitted or shall be seen.
function layersOf(entry, surfaces) {
  return entry.crops.flatMap((crop) => [
    { points: jointsOf(crop, "cam") },
    ...crop.hands.flatMap(({ mesh }, side) => (mesh && surfaces ? [{ points: [], mesh: meshOf(mesh, surfaces[side]) }] : [])),
  ]);
}

// The mesh of a hand, whose vertices come as 16-bit numbers in base64: tenths of a mm from the middle.
function meshOf({ middle, tenths }, surface) {
  const bytes = Uint8Array.from(atob(tenths), (letter) => letter.charCodeAt(0));
  return { ...surface, vertices: Array.from(new Int16Array(bytes.buffer), (value, k) => middle[k % 3] + value / 10) };
}

// Parts and bones of all hands into an <svg> that lies over the picture.
function drawEntry(svg, entry, { bones, colors }) {
  svg.setAttribute("viewBox", `-0.5 -0.5 ${entry.width} ${entry.height}`);
  const parts = entry.crops.filter((crop) => crop.parts).map(({ parts: { image, matrix } }) =>
    shape("image", { class: "parts", href: image, transform: `matrix(${matrix.join()})` }),
  );
  const lines = entry.crops.flatMap((crop) => {
    const points = jointsOf(crop, "px");
    const ends = bones.map(([child, parent], k) => [points[child], points[parent], colors[k]]);
    const drawn = ends.filter(([child, parent]) => child && parent);
    return [...drawn.map((bone) => bar(bone, "halo")), ...drawn.map((bone) => bar(bone, "bone"))];
  });
  svg.replaceChildren(...parts, ...lines);
}

function bar([child, parent, color], kind) {
  const ends = { x1: parent[0], y1: parent[1], x2: child[0], y2: child[1] };
  return shape("line", { class: kind, ...ends, ...(kind === "bone" && { stroke: color }) });
}

function shape(name, attributes) {
  const item = document.createElementNS("http://www.w3.org/2000/svg", name);
  Object.entries(attributes).forEach((pair) => item.setAttribute(...pair));
  return item;
}

// Which layers are drawn: checkboxes with data-layer, all of one layer together, set classes on <body>.
function bindLayers(changed = () => {}) {
  const boxes = [...document.querySelectorAll("input[data-layer]")];
  const apply = (layer, on) => {
    boxes.filter((box) => box.dataset.layer === layer).forEach((box) => (box.checked = on));
    document.body.classList.toggle(`without-${layer}`, !on);
    changed();
  };
  boxes.forEach((box) => box.addEventListener("change", () => apply(box.dataset.layer, box.checked)));
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey || event.target.matches("input:not([type=checkbox]), select")) return;
    const box = boxes.find((each) => each.dataset.key === event.key.toLowerCase());
    if (box) apply(box.dataset.layer, !box.checked);
  });
}
