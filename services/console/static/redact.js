// The picture under the boxes, as the server draws it. Without this, the same form takes numbers alone.
(() => {
  "use strict";
  const form = document.getElementById("redact"), canvas = document.getElementById("picture"), told = document.getElementById("told");
  const boxes = document.getElementById("boxes"), page = document.getElementById("page"), drawing = document.getElementById("drawing");
  const file = document.getElementById("file"), context = canvas.getContext("2d");
  let picture = null, asked = 0, from = null, row = null;

  const field = (one, name) => one.querySelector(`[name="box.${name}"]`);
  const value = (one, name) => field(one, name).value.trim();
  const isEmpty = (one) => ["x", "y", "w", "h"].every((name) => !value(one, name));
  const added = () => {
    const one = boxes.lastElementChild.cloneNode(true), number = boxes.children.length + 1;
    one.querySelectorAll("input").forEach((each) => { each.value = ""; });
    one.querySelectorAll("legend, .hidden").forEach((each) => { each.textContent = each.textContent.replace(/\d+/, number); });
    boxes.append(one);
    return one;
  };

  const draw = () => {
    if (!picture) return;
    context.drawImage(picture, 0, 0);
    context.fillStyle = "#000";
    for (const one of boxes.children) {
      const [x, y, w, h] = ["x", "y", "w", "h"].map((name) => Number(value(one, name)));
      if (!isEmpty(one) && (value(one, "on") || "1") === page.value) context.fillRect(x, y, w, h);
    }
  };

  const look = async () => {
    const mine = ++asked, sent = new FormData();
    if (!file.files.length) return;
    sent.set("csrf", form.elements.csrf.value);
    sent.set("file", file.files[0]);
    sent.set("page", page.value || "1");
    let shown = null;
    try {
      const answer = await fetch(form.dataset.preview, { method: "POST", body: sent, headers: { Accept: "image/*" } });
      if (answer.ok) shown = await createImageBitmap(await answer.blob());
    } catch { shown = null; }
    if (mine !== asked) return;
    picture = shown;
    drawing.hidden = !picture;
    told.textContent = picture ? `${picture.width} × ${picture.height}` : form.dataset.failed;
    if (picture) { canvas.width = picture.width; canvas.height = picture.height; draw(); }
  };

  const place = (event) => {
    const shown = canvas.getBoundingClientRect(), within = (at, most) => Math.max(0, Math.min(most, Math.round(at)));
    return [within((event.clientX - shown.left) * canvas.width / shown.width, canvas.width),
      within((event.clientY - shown.top) * canvas.height / shown.height, canvas.height)];
  };
  canvas.addEventListener("pointerdown", (event) => {
    event.preventDefault();
    canvas.setPointerCapture(event.pointerId);
    from = place(event);
    row = [...boxes.children].find(isEmpty) || (boxes.children.length < 100 ? added() : null);
  });
  canvas.addEventListener("pointermove", (event) => {
    if (!from || !row) return;
    const to = place(event), told = {
      x: Math.min(from[0], to[0]), y: Math.min(from[1], to[1]), w: Math.abs(to[0] - from[0]), h: Math.abs(to[1] - from[1]),
    };
    for (const [name, number] of Object.entries(told)) field(row, name).value = number;
    field(row, "on").value = page.value;
    draw();
  });
  const ended = () => {
    if (row && !(Number(value(row, "w")) && Number(value(row, "h")))) row.querySelectorAll("input").forEach((each) => { each.value = ""; });
    from = row = null;
    draw();
  };
  canvas.addEventListener("pointerup", ended);
  canvas.addEventListener("pointercancel", ended);
  boxes.addEventListener("input", draw);
  file.addEventListener("change", look);
  page.addEventListener("change", look);
})();
