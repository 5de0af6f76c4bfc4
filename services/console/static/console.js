// Comfort that no page needs: keys, drafts kept in this browser, a form sent once, pasted files.
(() => {
  "use strict";
  const body = document.body;
  const typing = (of) => of.closest("input, textarea, select, [contenteditable]");

  // A form is sent once, and Enter that confirms a candidate of an input method sends nothing.
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.isComposing || event.keyCode === 229)) event.stopPropagation();
  }, true);
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.sent) { event.preventDefault(); return; }
    if (form.method === "post") { form.dataset.sent = "1"; setTimeout(() => delete form.dataset.sent, 8000); }
  });
  window.addEventListener("pageshow", () => document.querySelectorAll("form").forEach((form) => delete form.dataset.sent));

  // Drafts: by person and page, for a day, on this browser alone. They are offered, never poured in.
  const form = document.querySelector("form[data-draft]");
  if (form && body.dataset.person) {
    const place = `draft ${body.dataset.person} ${location.pathname}${location.search}`;
    const fields = () => [...form.elements].filter((one) => one.name && !["hidden", "submit", "password", "file"].includes(one.type));
    const read = () => { try { return JSON.parse(localStorage.getItem(place)); } catch { return null; } };
    const kept = read();
    const offer = document.getElementById("draft");
    if (kept && Date.now() - kept.at < 86400000 && offer && !("filled" in form.dataset)) {
      offer.hidden = false;
      offer.querySelector("[data-take]").addEventListener("click", () => {
        fields().forEach((one) => {
          const value = kept.fields[one.name];
          if (value === undefined) return;
          if (one.type === "checkbox" || one.type === "radio") one.checked = [].concat(value).includes(one.value);
          else one.value = value;
        });
        offer.hidden = true;
      });
      offer.querySelector("[data-drop]").addEventListener("click", () => { localStorage.removeItem(place); offer.hidden = true; });
    }
    form.addEventListener("input", () => {
      const found = {};
      fields().forEach((one) => {
        if (one.type === "checkbox" || one.type === "radio") { if (one.checked) found[one.name] = [].concat(found[one.name] || [], one.value); }
        else found[one.name] = one.value;
      });
      try { localStorage.setItem(place, JSON.stringify({ at: Date.now(), fields: found })); } catch { /* no room: nothing is kept */ }
    });
  }
  if (body.dataset.done && body.dataset.person) {
    Object.keys(localStorage).filter((key) => key.startsWith(`draft ${body.dataset.person} `) && key.includes(`/${body.dataset.done}`))
      .forEach((key) => localStorage.removeItem(key));
  }

  // Whoever signs out leaves no words behind, and nobody leaves them for longer than a day.
  const forget = (which) => Object.keys(localStorage).filter((key) => key.startsWith("draft ") && which(key)).forEach((key) => localStorage.removeItem(key));
  document.addEventListener("submit", (event) => { if (event.target.action.endsWith("/sign-out")) forget(() => true); });
  forget((key) => { try { return Date.now() - JSON.parse(localStorage.getItem(key)).at > 86400000; } catch { return true; } });

  // Keys. They focus or open, and never commit.
  const rows = () => [...document.querySelectorAll("[data-row]")];
  const step = (by) => {
    const all = rows(); const now = all.indexOf(document.activeElement);
    const to = all[Math.min(Math.max(now + by, 0), all.length - 1)];
    if (to) to.focus();
  };
  let going = false;
  const places = { KeyB: "board", KeyI: "inbox", KeyR: "roster", KeyN: "reports/new", KeyS: "statements" };
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || event.isComposing || event.keyCode === 229) return;
    if (typing(event.target) || localStorage.getItem("keys") === "off") return;
    if (going) { going = false; if (places[event.code]) location.href = `${body.dataset.home}/${places[event.code]}`; return; }
    if (event.key === "?") document.getElementById("keys")?.showModal();
    else if (event.code === "KeyG") { going = true; setTimeout(() => { going = false; }, 1500); }
    else if (event.code === "KeyJ") step(1);
    else if (event.code === "KeyK") step(-1);
    else if (event.code === "KeyE") document.querySelector(".verbs a")?.focus();
    else if (event.key === "/") { event.preventDefault(); document.getElementById("number")?.focus(); }
    else if (event.code === "KeyU") document.querySelector("[data-back]")?.click();
  });

  // Pasted and dropped files fill the file field beside the button.
  const files = document.querySelector("input[type=file]");
  if (files) {
    const add = (list) => {
      const held = new DataTransfer();
      [...files.files, ...list].forEach((one) => held.items.add(one));
      files.files = held.files;
    };
    document.addEventListener("paste", (event) => { if (event.clipboardData.files.length) add(event.clipboardData.files); });
    document.addEventListener("dragover", (event) => event.preventDefault());
    document.addEventListener("drop", (event) => { event.preventDefault(); if (event.dataTransfer.files.length) add(event.dataTransfer.files); });
  }
})();
