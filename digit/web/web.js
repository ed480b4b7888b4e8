// Pictures from files, the clipboard or a camera go to the server, one after the other; answers are drawn.
(() => {
  const { mostBytes, ...bones } = JSON.parse(document.getElementById("data").textContent);
  const LIVE_PX = 640;
  const byId = (id) => document.getElementById(id);
  const [stage, room, preview, frame] = [document.querySelector(".stage"), byId("drop"), byId("preview"), byId("frame")];
  const viewer = viewHands(byId("hands"), bones, []);
  let stream = null;
  let live = false;
  let run = 0;
  let asked = 0;

  bindLayers();

  // The answer to a picture; an Error whose message is a sentence for the user when there is none.
  async function ask(path, query, blob, name) {
    if (blob.size > mostBytes) {
      throw new Error(`${name}: has ${Math.round(blob.size / 1e6)} MB, and at most ${mostBytes / 1e6} MB are taken; make it smaller`);
    }
    let reply;
    try {
      reply = await fetch(`${path}?${new URLSearchParams(query)}`, { method: "POST", body: blob, headers: { "Content-Type": "application/octet-stream" } });
    } catch {
      throw new Error("the server does not answer; is digit serve still running?");
    }
    const answer = await reply.json().catch(() => ({ error: `${name}: the server's answer was cut off; try again` }));
    if (!reply.ok) throw new Error(answer.error);
    return answer;
  }

  async function send(blob, name) {
    count(1);
    try {
      const answer = await ask("predict", { name }, blob, name);
      const card = addCard(answer);
      if (!live) select(card, answer);
    } catch (error) {
      complain(error.message);
    } finally {
      count(-1);
    }
  }

  function count(by) {
    asked += by;
    byId("status").textContent = asked ? `${asked} picture${asked > 1 ? "s" : ""} waiting …` : "";
  }

  function complain(sentence) {
    const box = element("div", { className: "notice alarm" });
    const close = element("button", { type: "button", textContent: "×", onclick: () => box.remove() });
    close.setAttribute("aria-label", "Dismiss");
    box.append(element("p", { textContent: sentence }), close);
    byId("errors").append(box);
    while (byId("errors").children.length > 5) byId("errors").firstChild.remove();
  }

  function addCard(answer) {
    const { entry } = answer;
    const button = element("button", { type: "button" });
    button.append(
      element("img", { src: entry.picture, alt: "" }),
      element("b", { textContent: entry.name }),
      element("small", { textContent: entry.hands }),
    );
    button.addEventListener("click", () => select(button, answer));
    const item = element("li");
    item.append(button);
    byId("cards").prepend(item);
    return button;
  }

  function select(button, { entry, record }) {
    setLive(false);
    document.querySelectorAll("#cards button").forEach((each) => each.setAttribute("aria-pressed", each === button));
    byId("large").src = entry.picture;
    byId("large").alt = `${entry.name}: ${entry.hands}`;
    reveal(byId("large"));
    draw(entry);
    const link = element("a", { href: URL.createObjectURL(new Blob([JSON.stringify(record, null, 1)], { type: "application/json" })) });
    link.download = `${entry.name.replace(/\.[^.]*$/, "")}.pose.json`;
    link.textContent = "pose (JSON)";
    byId("caption").replaceChildren(`${entry.name}: ${entry.hands}. `, link);
  }

  function draw(entry) {
    stage.style.setProperty("--shape", entry.width / entry.height);
    drawEntry(stage.querySelector("svg"), entry, bones);
    viewer.show(layersOf(entry));
  }

  // One of the picture, the frame of live mode, and the camera's preview.
  function reveal(shown) {
    byId("hint").hidden = true;
    room.classList.add("filled");
    byId("large").hidden = shown !== byId("large");
    frame.hidden = shown !== frame;
    stage.hidden = shown === preview;
    preview.hidden = shown !== preview;
  }

  async function startCamera() {
    try {
      stream = await navigator.mediaDevices.getUserMedia({ video: { width: { ideal: 1280 }, height: { ideal: 720 } } });
    } catch (error) {
      const reasons = { NotAllowedError: "the browser does not allow it", NotFoundError: "there is none", NotReadableError: "another program uses it" };
      return complain(`The camera cannot be used: ${reasons[error.name] || error.message}.`);
    }
    preview.srcObject = stream;
    await preview.play();
    reveal(preview);
    camera(true);
  }

  function stopCamera() {
    setLive(false);
    stream.getTracks().forEach((track) => track.stop());
    stream = preview.srcObject = null;
    preview.hidden = true;
    camera(false);
  }

  function camera(on) {
    byId("camera").setAttribute("aria-pressed", on);
    byId("shoot").disabled = byId("live").disabled = !on;
  }

  function setLive(on) {
    live = on;
    byId("live").setAttribute("aria-pressed", on);
  }

  // What the camera sees now, at most so many px long, as a canvas.
  function grab(longest) {
    const scale = Math.min(1, longest / Math.max(preview.videoWidth, preview.videoHeight));
    const canvas = element("canvas", { width: Math.round(preview.videoWidth * scale), height: Math.round(preview.videoHeight * scale) });
    canvas.getContext("2d").drawImage(preview, 0, 0, canvas.width, canvas.height);
    return canvas;
  }
  const jpeg = (canvas) => new Promise((done) => canvas.toBlob(done, "image/jpeg", 0.9));

  async function runLive() {
    const [own, session, times] = [++run, crypto.randomUUID(), []];
    while (live && own === run) {
      const seen = grab(LIVE_PX);
      let answer;
      try {
        answer = await ask("live", { session, time_s: performance.now() / 1000 }, await jpeg(seen), "camera");
      } catch (error) {
        setLive(false);
        return complain(error.message);
      }
      if (!live || own !== run) return;
      [frame.width, frame.height] = [seen.width, seen.height];
      frame.getContext("2d").drawImage(seen, 0, 0);
      reveal(frame);
      draw(answer.entry);
      times.push(performance.now());
      if (times.length > 12) times.shift();
      const rate = (1000 * (times.length - 1)) / (times.at(-1) - times[0]);
      byId("caption").textContent = `${answer.entry.hands}${times.length > 3 ? `, ${rate.toFixed(1)} frames/s` : ""}`;
    }
  }

  function element(name, properties = {}) {
    return Object.assign(document.createElement(name), properties);
  }

  const sendAll = (files) => [...files].forEach((file) => send(file, file.name || "picture"));
  byId("files").addEventListener("change", ({ target }) => {
    sendAll(target.files);
    target.value = "";
  });
  addEventListener("dragover", (event) => {
    event.preventDefault();
    room.classList.add("over");
  });
  addEventListener("dragleave", () => room.classList.remove("over"));
  addEventListener("drop", (event) => {
    event.preventDefault();
    room.classList.remove("over");
    sendAll(event.dataTransfer.files);
  });
  addEventListener("paste", (event) => sendAll(event.clipboardData.files));
  byId("camera").addEventListener("click", () => (stream ? stopCamera() : startCamera()));
  byId("shoot").addEventListener("click", async () => {
    setLive(false);
    send(await jpeg(grab(4096)), `camera-${new Date().toISOString().slice(11, 19).replaceAll(":", "")}.jpg`);
  });
  byId("live").addEventListener("click", () => {
    setLive(!live);
    if (live) runLive();
    else reveal(preview);
  });
})();
