// Cards, table and the dialog that shows one picture large.
(() => {
  const { entries, surfaces, ...bones } = JSON.parse(document.getElementById("data").textContent);
  const JOINTS = ["thumb", "index", "middle", "ring", "pinky"].flatMap((finger) => [4, 3, 2, 1].map((k) => finger + k)).concat("wrist");
  const HANDS = ["right", "left"];
  const byId = (id) => document.getElementById(id);
  const cards = [...document.querySelectorAll(".card")];
  const present = entries.map((entry) => entry.crops.flatMap((crop) => crop.hands).filter((hand) => hand.px).length);
  let shown = entries.map((_, number) => number);
  let current = null;
  let viewer = null;

  bindLayers(() => dialog.open && turn(entries[current]));

  // Parts and skeletons are drawn when a card comes near the window.
  const near = new IntersectionObserver(
    (seen) => {
      for (const { target, isIntersecting } of seen) {
        if (!isIntersecting) continue;
        near.unobserve(target);
        drawEntry(target.querySelector("svg"), entries[target.dataset.number], bones);
      }
    },
    { rootMargin: "400px" },
  );
  cards.forEach((card) => near.observe(card));

  function filter() {
    const [name, hands] = [byId("name").value.trim().toLowerCase(), byId("hands").value];
    const fits = entries.map(
      (entry, number) =>
        entry.name.toLowerCase().includes(name) && (hands === "" || Math.min(present[number], 3) === Number(hands)),
    );
    document.querySelectorAll("[data-number]").forEach((item) => (item.hidden = !fits[item.dataset.number]));
    shown = entries.map((_, number) => number).filter((number) => fits[number]);
    byId("count").textContent = shown.length === entries.length ? "" : `${shown.length} of ${entries.length}`;
  }
  byId("name").addEventListener("input", filter);
  byId("hands").addEventListener("change", filter);

  const dialog = byId("view");

  function open(number) {
    current = number;
    const entry = entries[number];
    byId("view-title").textContent = entry.name;
    const stage = dialog.querySelector(".stage");
    stage.style.setProperty("--shape", entry.width / entry.height);
    show(byId("large"), entry.picture, cards[number].querySelector("img"));
    const drawing = stage.querySelector("svg");
    drawEntry(drawing, entry, bones);
    if (entry.shaded) drawing.prepend(shape("image", { class: "meshes", href: entry.shaded, width: "100%", height: "100%", x: -0.5, y: -0.5 }));
    const film = byId("film");
    film.hidden = !entry.video;
    stage.hidden = Boolean(entry.video);
    if (entry.video) [film.src, film.poster] = [entry.video, entry.picture];
    else film.removeAttribute("src");
    byId("links").replaceChildren(
      ...[["picture", entry.picture], ...Object.entries(entry.files)].map(([words, href]) =>
        element("a", { href, target: "_blank", textContent: words }),
      ),
    );
    byId("facts").replaceChildren(...facts(entry));
    byId("before").disabled = shown[0] === number;
    byId("after").disabled = shown.at(-1) === number;
    if (!dialog.open) dialog.showModal();
    turn(entry);
  }

  function turn(entry) {
    const layers = layersOf(entry, document.body.classList.contains("without-meshes") ? null : surfaces);
    if (viewer) viewer.show(layers);
    else viewer = viewHands(dialog.querySelector("canvas"), bones, layers);
  }

  // The hands of a video turn with it.
  byId("film").addEventListener("timeupdate", ({ target }) => {
    const { moments } = entries[current];
    const now = moments?.findLast(({ t }) => t <= target.currentTime + 0.01);
    if (now) turn(now);
  });

  // The small picture while the large one loads, and where the page has been moved without its folder.
  function show(image, link, small) {
    image.onerror = () => {
      image.onerror = null;
      image.src = small.src;
    };
    image.alt = small.alt;
    image.src = link;
  }

  function facts(entry) {
    const parts = [];
    entry.crops.forEach((crop, k) => {
      if (entry.crops.length > 1) parts.push(element("h3", { textContent: `Crop ${k + 1}` }));
      parts.push(element("p", { className: "caption", textContent: `Box ${crop.box.join(", ")} px (${crop.how}); ` +
        HANDS.map((hand, side) => `${hand} hand ${crop.hands[side].p.toFixed(2)}`).join(", ") }));
      const known = HANDS.map((hand, side) => [hand, crop.hands[side]]).filter(([, hand]) => hand.px);
      if (known.length) parts.push(table(known));
    });
    return parts;
  }

  function table(known) {
    const all = element("table");
    const titles = known.flatMap(([hand]) => [`${hand}: x, y px`, "x, y, z mm", "confidence"]);
    all.createTHead().insertRow().append(...["Joint", ...titles].map((text) => element("th", { textContent: text })));
    const body = all.createTBody();
    JOINTS.map((joint, k) => {
      const cells = known.flatMap(([, hand]) => [hand.px[k].join(", "), hand.cam ? hand.cam[k].join(", ") : "–", hand.sure[k].toFixed(2)]);
      const row = body.insertRow();
      row.append(element("td", { textContent: joint }), ...cells.map((text) => element("td", { className: "n", textContent: text })));
    });
    return all;
  }

  function element(name, properties = {}) {
    return Object.assign(document.createElement(name), properties);
  }

  // The address names the picture, so that links and the back button work.
  function follow() {
    const number = Number((location.hash.match(/^#view-(\d+)$/) || [])[1] ?? -1);
    if (number in entries) open(number);
    else if (dialog.open) dialog.close();
  }
  function step(by) {
    const next = shown[shown.indexOf(current) + by];
    if (next !== undefined) location.replace(`#view-${next}`);
  }
  addEventListener("hashchange", follow);
  dialog.addEventListener("close", () => {
    byId("film").pause();
    if (location.hash.startsWith("#view-")) history.replaceState(null, "", location.pathname + location.search);
    cards[current]?.querySelector("a").focus();
  });
  dialog.addEventListener("click", (event) => event.target === dialog && dialog.close());
  dialog.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.metaKey || event.altKey) return;
    if (event.key === "ArrowLeft") step(-1);
    if (event.key === "ArrowRight") step(1);
  });
  byId("close").addEventListener("click", () => dialog.close());
  byId("before").addEventListener("click", () => step(-1));
  byId("after").addEventListener("click", () => step(1));
  follow();
})();
