// Reads the picture of a code in this browser and puts what it says into the form. The picture is sent nowhere.
"use strict";

const SIDE = 1600;
const form = document.getElementById("verify");
const input = document.getElementById("picture");
const told = document.getElementById("picture-told");

function script(source) {
  return new Promise((resolve, reject) => {
    const element = document.createElement("script");
    element.src = source;
    element.onload = resolve;
    element.onerror = reject;
    document.head.append(element);
  });
}

async function read(file) {
  const image = await createImageBitmap(file);
  if ("BarcodeDetector" in window) {
    try {
      const found = await new BarcodeDetector({ formats: ["qr_code"] }).detect(image);
      if (found.length) return found[0].rawValue;
    } catch {
      // The browser has the name and not the means: the script reads it.
    }
  }
  if (!("jsQR" in window)) await script(input.dataset.script);
  const scale = Math.min(1, SIDE / Math.max(image.width, image.height));
  const canvas = document.createElement("canvas");
  canvas.width = Math.max(1, Math.round(image.width * scale));
  canvas.height = Math.max(1, Math.round(image.height * scale));
  const area = canvas.getContext("2d", { willReadFrequently: true });
  area.fillStyle = "#fff";
  area.fillRect(0, 0, canvas.width, canvas.height);
  area.drawImage(image, 0, 0, canvas.width, canvas.height);
  const { data, width, height } = area.getImageData(0, 0, canvas.width, canvas.height);
  const found = window.jsQR(data, width, height);
  return found && found.data;
}

document.getElementById("with-script").hidden = false;
input.addEventListener("change", async () => {
  if (!input.files.length) return;
  let found = null;
  try {
    found = await read(input.files[0]);
  } catch {
    // No picture, or one that this browser cannot read.
  }
  if (!found) {
    told.textContent = input.dataset.nothing;
    return;
  }
  form.elements.text.value = found;
  form.requestSubmit();
});
