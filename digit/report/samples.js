// The 3D view of each sample: the annotation as a ghost, the prediction in colour.
(() => {
  const { samples, ...skeleton } = JSON.parse(document.getElementById("poses").textContent);
  for (const canvas of document.querySelectorAll("canvas[data-sample]")) {
    const { truth, prediction } = samples[Number(canvas.dataset.sample)];
    viewHands(canvas, skeleton, [{ points: truth, ghost: true }, { points: prediction }]);
  }
})();
