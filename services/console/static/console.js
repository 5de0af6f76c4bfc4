// Comfort that no page needs: keys, drafts kept in this browser, a form sent once, pasted files.
(() => {
  "use strict";
  const body = document.body;
  const typing = (of) => of.closest("input:not([type=range], [type=checkbox]), textarea, select, [contenteditable]");

  // A form is sent once, and Enter that confirms a candidate of an input method sends nothing.
  document.addEventListener("keydown", (event) => {
    if (event.key === "Enter" && (event.isComposing || event.keyCode === 229)) event.stopPropagation();
  }, true);
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (form.dataset.sent) { event.preventDefault(); return; }
    if (event.submitter?.formTarget === "_blank") return;
    if (form.method === "post") { form.dataset.sent = "1"; setTimeout(() => delete form.dataset.sent, 8000); }
  });
  window.addEventListener("pageshow", () => document.querySelectorAll("form").forEach((form) => delete form.dataset.sent));

  // Drafts: by person, page and tab, for a day, on this browser alone. They are offered, never poured in: first the one of
  // this tab, then those of others, the newest first.
  const form = document.querySelector("form[data-draft]");
  if (form && body.dataset.person) {
    const page = `draft ${body.dataset.person} ${location.pathname}${location.search} `;
    const place = sessionStorage.getItem(page) || `${page}${Math.random().toString(36).slice(2)}`;
    sessionStorage.setItem(page, place);
    const fields = () => [...form.elements].filter((one) => one.name && !["hidden", "submit", "password", "file"].includes(one.type));
    const read = (key) => { try { return JSON.parse(localStorage.getItem(key)); } catch { return null; } };
    const drafts = () => Object.keys(localStorage).filter((key) => key.startsWith(page) && Date.now() - (read(key)?.at || 0) < 86400000)
      .sort((one, other) => (other === place) - (one === place) || read(other).at - read(one).at);
    const offer = document.getElementById("draft");
    let offered = null;
    const propose = () => {
      [offered] = drafts();
      offer.hidden = !offered;
      if (offered) offer.querySelector("time").textContent = new Date(read(offered).at).toLocaleString(document.documentElement.lang);
    };
    if (offer && !("filled" in form.dataset)) {
      propose();
      offer.querySelector("[data-take]").addEventListener("click", () => {
        const kept = read(offered);
        fields().forEach((one) => {
          const value = kept?.fields[one.name];
          if (value === undefined) return;
          if (one.type === "checkbox" || one.type === "radio") one.checked = [].concat(value).includes(one.value);
          else one.value = value;
        });
        if (offered !== place) localStorage.removeItem(offered);
        if (kept) localStorage.setItem(place, JSON.stringify(kept));
        offer.hidden = true;
      });
      offer.querySelector("[data-drop]").addEventListener("click", () => { localStorage.removeItem(offered); propose(); });
    }
    form.addEventListener("submit", (event) => { if (event.submitter?.formTarget !== "_blank") sessionStorage.setItem("sent", place); });
    form.addEventListener("input", () => {
      const found = {};
      fields().forEach((one) => {
        if (one.type === "checkbox" || one.type === "radio") found[one.name] = [].concat(found[one.name] || [], one.checked ? one.value : []);
        else found[one.name] = one.value;
      });
      try { localStorage.setItem(place, JSON.stringify({ at: Date.now(), fields: found })); } catch { /* no room: nothing is kept */ }
    });
  }
  // The draft of a form goes once a page says that the form was taken, and not before.
  if (form && "filled" in form.dataset) sessionStorage.removeItem("sent");
  if (document.getElementById("done") || "done" in body.dataset) {
    if (sessionStorage.getItem("sent")) localStorage.removeItem(sessionStorage.getItem("sent"));
    sessionStorage.removeItem("sent");
  }

  // Whoever signs out leaves no words behind, and nobody leaves them for longer than a day.
  const forget = (which) => Object.keys(localStorage).filter((key) => key.startsWith("draft ") && which(key)).forEach((key) => localStorage.removeItem(key));
  document.addEventListener("submit", (event) => { if (event.target.action.endsWith("/sign-out")) forget(() => true); });
  forget((key) => { try { return Date.now() - JSON.parse(localStorage.getItem(key)).at > 86400000; } catch { return true; } });

  // Keys. They focus or open, and never commit.
  const rowOf = (link) => link.closest("tr, li");
  const rows = () => [...document.querySelectorAll("[data-row]")];
  const step = (by) => {
    const all = rows(), now = all.findIndex((one) => one === document.activeElement || rowOf(one)?.contains(document.activeElement));
    const to = all[Math.min(Math.max(now + by, 0), all.length - 1)];
    if (to) to.focus();
  };
  // The matters of the last list, so that `n` and `p` lead to the next and the previous one. Addresses only.
  const own = (link) => new URL(link.href).pathname;
  const matters = rows().filter((link) => own(link).includes("/incidents/")).map(own);
  const remembered = () => { try { return JSON.parse(sessionStorage.getItem("list")) || []; } catch { return []; } };
  const beside = (by) => {
    const list = remembered(), at = list.indexOf(location.pathname);
    if (at >= 0 && list[at + by]) location.href = list[at + by];
  };
  if (matters.length) {
    // Back in the list, the focus is on the row from which somebody left.
    const left = document.referrer && new URL(document.referrer).pathname;
    if (remembered().includes(left) && document.activeElement === body) rows().find((link) => own(link) === left)?.focus();
    try { sessionStorage.setItem("list", JSON.stringify(matters)); } catch { /* no room: there is no next one */ }
  }
  document.addEventListener("submit", (event) => { if (event.target.action.endsWith("/sign-out")) sessionStorage.removeItem("list"); });

  // Whoever speaks to the computer, or leans on a key, turns them off.
  const keys = document.getElementById("keys"), turn = keys?.querySelector("[data-turn]");
  const off = () => localStorage.getItem("keys") === "off";
  const label = () => { turn.textContent = off() ? turn.dataset.on : turn.dataset.off; };
  if (keys) {
    const open = document.getElementById("show-keys");
    open.hidden = false;
    open.addEventListener("click", () => keys.showModal());
    turn.addEventListener("click", () => { localStorage.setItem("keys", off() ? "on" : "off"); label(); });
    label();
  }

  let going = false;
  const places = { KeyB: "board", KeyI: "inbox", KeyR: "roster", KeyN: "reports/new", KeyS: "statements", KeyD: "dead-letters" };
  document.addEventListener("keydown", (event) => {
    if (event.defaultPrevented || event.ctrlKey || event.altKey || event.metaKey || event.isComposing || event.keyCode === 229) return;
    if (typing(event.target) || off()) return;
    if (going) { going = false; if (places[event.code]) location.href = `${body.dataset.home}/${places[event.code]}`; return; }
    if (event.key === "?") keys?.showModal();
    else if (event.code === "KeyG") { going = true; setTimeout(() => { going = false; }, 1500); }
    else if (event.code === "KeyJ") step(1);
    else if (event.code === "KeyK") step(-1);
    else if (event.code === "KeyX") rowOf(document.activeElement)?.querySelector("input[type=checkbox]")?.click();
    else if (event.code === "KeyE") document.querySelector(".verbs a")?.focus();
    else if (event.key === "/") { event.preventDefault(); document.getElementById("number")?.focus(); }
    else if (event.code === "BracketLeft") document.querySelector("[data-earlier]")?.click();
    else if (event.code === "BracketRight") document.querySelector("[data-later]")?.click();
    else if (event.code === "KeyU") document.querySelector("[data-back]")?.click();
    else if (event.code === "Period" && !event.shiftKey) document.dispatchEvent(new Event("huiying:show"));
    else if (event.code === "KeyN") beside(1);
    else if (event.code === "KeyP") beside(-1);
  });

  // What is left of a limit counts on by the server's clock. It is no live region: nobody is interrupted each half minute.
  const ahead = Date.parse(body.dataset.now) - Date.now();
  const span = (seconds) => {
    const minutes = Math.floor(Math.abs(seconds) / 60), units = body.dataset.units.split(" ");
    const parts = [[Math.floor(minutes / 1440), units[0]], [Math.floor(minutes / 60) % 24, units[1]], [minutes % 60, units[2]]];
    const first = parts.findIndex(([count]) => count);
    const [most, ...rest] = parts.slice(first < 0 ? 2 : first, first < 0 ? 3 : first + 2);
    return [most, ...rest.filter(([count]) => count)].map((part) => part.join(" ")).join(" ");
  };
  const tick = () => document.querySelectorAll("[data-due]").forEach((one) => {
    const left = (Date.parse(one.dataset.due) - Date.now() - ahead) / 1000;
    const [state, shape] = left < 0 || one.classList.contains("over") ? ["over", "▲"] : left < 3600 ? ["soon", "◆"] : ["run", "●"];
    one.className = `state ${state}`;
    one.firstElementChild.textContent = shape;
    one.lastElementChild.textContent = (left < 0 ? body.dataset.over : body.dataset.left).replace("~", span(left));
  });
  setInterval(tick, 30000);
  document.addEventListener("visibilitychange", () => { if (!document.hidden) tick(); });

  // The slider of a timeline announces its instant, and opens it when it rests.
  const slider = document.getElementById("slider");
  if (slider) {
    const moments = slider.dataset.moments.split(" "), labels = slider.dataset.labels.split("|");
    const told = slider.parentElement.querySelector("output");
    const tell = () => {
      const label = `${labels[slider.value]} ${Number(slider.value) + 1}/${Number(slider.max) + 1}`;
      told.textContent = label;
      slider.setAttribute("aria-valuetext", label);
    };
    let rests = 0;
    slider.parentElement.hidden = false;
    tell();
    if (location.hash === "#slider") slider.focus();
    slider.addEventListener("input", () => {
      tell();
      clearTimeout(rests);
      rests = setTimeout(() => { location.href = `${slider.dataset.address.replace("known_at=AT", `known_at=${moments[slider.value]}`)}#slider`; }, 700);
    });
  }

  // A part of a page that takes long is a page of its own, and comes into its place after the rest.
  document.querySelectorAll("[data-fetch]").forEach(async (place) => {
    try {
      const answer = await fetch(place.querySelector("a").href);
      const made = new DOMParser().parseFromString(await answer.text(), "text/html").getElementById(place.id);
      if (answer.ok && made && !place.contains(document.activeElement)) place.replaceChildren(...made.childNodes);
    } catch { /* the link stays */ }
  });

  // Similar matters are offered while somebody types. What is typed is sent as a form, so it stands in no address.
  const offer = document.getElementById("similar");
  if (offer) {
    const told = document.getElementById("similar-count"), names = ["unit", "subject", "text", "place"];
    const writing = offer.closest("form");
    let waits = null, before = "", running = null;
    const ask = async () => {
      const sent = new URLSearchParams(names.map((name) => [name, writing.elements[name]?.value.trim() || ""]));
      if ([...sent.get("subject")].length < 4 || sent.toString() === before) return;
      before = sent.toString();
      running?.abort();
      running = new AbortController();
      try {
        const headers = { "X-CSRF": writing.elements.csrf.value };
        const answer = await fetch(offer.dataset.similar, { method: "POST", body: sent, headers, signal: running.signal });
        if (!answer.ok || answer.redirected || offer.contains(document.activeElement)) return;
        const made = document.createElement("template");
        made.innerHTML = await answer.text();
        const count = made.content.querySelectorAll("li").length;
        offer.replaceChildren(made.content);
        told.textContent = count ? offer.dataset.text.replace("{count}", count) : "";
      } catch { /* without an answer nothing is offered; the next page asks again */ }
    };
    // An input method fires for each half of a word; only what was confirmed is asked for.
    const soon = (event) => {
      if (event.isComposing || !names.includes(event.target.name)) return;
      clearTimeout(waits);
      waits = setTimeout(ask, 900);
    };
    writing.addEventListener("input", soon);
    writing.addEventListener("compositionstart", () => clearTimeout(waits));
    writing.addEventListener("compositionend", (event) => soon({ target: event.target, isComposing: false }));
  }

  // A fact beside a text is inserted where the cursor stands. The text then rests on it.
  const area = document.getElementById("f-text");
  if (area) document.querySelectorAll("[data-insert]").forEach((one) => {
    one.hidden = false;
    one.addEventListener("click", () => {
      area.setRangeText(one.dataset.insert, area.selectionStart, area.selectionEnd, "end");
      const rests = one.closest(".option").querySelector("[name=facts]");
      if (rests) rests.checked = true;
      area.dispatchEvent(new Event("input", { bubbles: true }));
      area.focus();
    });
  });

  // The fact that is chosen says how its value is written.
  const hows = document.getElementById("hows"), fact = document.getElementById("f-key"), value = document.getElementById("f-value-hint");
  if (hows && fact && value) {
    const usual = value.cloneNode(true);
    const tell = () => {
      const said = [...hows.children].find((one) => one.dataset.key === fact.value) || usual;
      value.replaceChildren(...said.cloneNode(true).childNodes);
    };
    fact.addEventListener("change", tell);
    document.querySelector("#draft [data-take]")?.addEventListener("click", tell);
    tell();
  }

  // A fault leads to its line in the text. What is to be copied is selected at once.
  const text = document.getElementById("f-text");
  if (text) document.querySelectorAll("a[data-line]").forEach((link) => link.addEventListener("click", (event) => {
    const line = Number(link.dataset.line);
    if (!line) return;
    event.preventDefault();
    const lines = text.value.split("\n");
    const begin = lines.slice(0, line - 1).reduce((sum, one) => sum + one.length + 1, 0);
    text.focus();
    text.setSelectionRange(begin + Number(link.dataset.column) - 1, begin + (lines[line - 1] || "").length);
    text.scrollTop = (line - 4) * parseFloat(getComputedStyle(text).lineHeight);
  }));
  document.querySelector("[data-select]")?.addEventListener("focus", (event) => event.target.select());

  // Pasted and dropped files fill the file field beside the button.
  const files = document.querySelector("input[type=file]");
  if (files) {
    const add = (list) => {
      const held = new DataTransfer();
      [...files.files, ...list].forEach((one) => held.items.add(one));
      files.files = held.files;
    };
    // A table from a spreadsheet comes as text and as its picture: in a field the text is meant. Dragged text is no file.
    document.addEventListener("paste", (event) => {
      const meant = typing(event.target) && event.clipboardData.types.includes("text/plain");
      if (event.clipboardData.files.length && !meant) add(event.clipboardData.files);
    });
    const carries = (event) => event.dataTransfer.types.includes("Files");
    document.addEventListener("dragover", (event) => { if (carries(event)) event.preventDefault(); });
    document.addEventListener("drop", (event) => { if (carries(event)) { event.preventDefault(); add(event.dataTransfer.files); } });
  }
})();
