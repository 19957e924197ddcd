// Whether there is a kernel behind a view; it stands before the script of each.

// Keeps the class that ipywidgets has for views without a kernel: anywidget takes away the listener that would. The
// model of the layout has the same kernel. The answer stops it.
function watchKernel(model, el) {
  const layout = model.get("layout");
  const look = () => el.classList.toggle("jupyter-widgets-disconnected", layout?.comm_live === false);
  layout?.on?.("comm_live_update", look);
  look();
  return () => layout?.off?.("comm_live_update", look);
}
