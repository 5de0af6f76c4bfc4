// A live list. The stream tells which matters changed; their rows are asked for. Cells of visible rows change at once.
// New, gone and moved rows wait until somebody asks for them, so nothing moves under a pointer or a focus.
(() => {
  "use strict";
  const bar = document.getElementById("live"), desk = document.getElementById("desk");
  const button = document.getElementById("waiting"), state = document.getElementById("live-state");
  const SILENCE = 45000, POLL = 30000, AGAIN = 20000, ALL = 120000, CHECK = 5000;
  const pending = new Set(), asked = new Set();
  let stream = null, heard = Date.now(), read = Date.now(), broken = false, over = false, lost = false, timer = null, whole = false;

  const rowsOf = (root) => new Map([...root.querySelectorAll("tr[data-place]")].map((row) => [row.id, row]));
  const groupOf = (row) => row.closest("tbody").dataset.group;

  const say = (text) => { if (state.textContent !== text) state.textContent = text; };
  const told = () => {
    button.hidden = pending.size === 0;
    button.textContent = button.dataset.text.replace("{count}", pending.size);
  };

  const renew = (old, fresh) => {
    [...old.cells].forEach((cell, at) => {
      const other = fresh.cells[at];
      if (!other || cell.innerHTML === other.innerHTML || cell.contains(document.activeElement)) return;
      cell.innerHTML = other.innerHTML;
      cell.classList.add("changed");
    });
  };

  // `few` are the matters that were asked for; nothing for the whole list.
  const merge = (fragment, few) => {
    const here = rowsOf(desk), there = rowsOf(fragment), all = [...here.values()];
    const last = all.length ? all[all.length - 1].dataset.place : "";
    const cut = document.getElementById("rows")?.dataset.further !== undefined;
    for (const id of few || new Set([...here.keys(), ...there.keys()])) {
      const old = here.get(id), fresh = there.get(id);
      if (old && fresh) {
        renew(old, fresh);
        old.classList.remove("gone");
        const at = all.indexOf(old), place = fresh.dataset.place;
        const fits = (!all[at - 1] || all[at - 1].dataset.place < place) && (!all[at + 1] || place < all[at + 1].dataset.place);
        if (fits && groupOf(old) === groupOf(fresh)) pending.delete(id); else pending.add(id);
      } else if (old) {
        if (!old.classList.contains("gone")) {
          old.classList.add("gone");
          const mark = document.createElement("span");
          mark.className = "tag"; mark.textContent = bar.dataset.gone;
          old.cells[0].append(" ", mark);
        }
        pending.add(id);
      } else if (fresh && (!cut || fresh.dataset.place < last)) pending.add(id);
      else pending.delete(id);
    }
    if (!few) fragment.querySelectorAll("[id^=count-]").forEach((count) => {
      const old = document.getElementById(count.id);
      if (old && old.textContent !== count.textContent) old.textContent = count.textContent;
    });
    told();
  };

  const fetched = async (ids) => {
    const address = ids ? `${bar.dataset.rows}&ids=${ids.join(",")}` : bar.dataset.rows;
    const answer = await fetch(address, { headers: { Accept: "text/html" } });
    if (answer.redirected || answer.status === 401) { end(); return null; }
    if (!answer.ok) throw new Error(String(answer.status));
    const made = document.createElement("template");
    made.innerHTML = await answer.text();
    return made.content;
  };

  const readAll = async () => {
    read = Date.now();
    try { const found = await fetched(null); if (found) merge(found, null); return found; } catch { return null; }
  };

  // Many changes at once become one question, at a moment of chance, so that not all browsers ask together.
  const soon = () => {
    if (timer || over) return;
    timer = setTimeout(async () => {
      timer = null;
      const ids = [...asked].slice(0, 100), every = whole || asked.size > 100;
      asked.clear(); whole = false;
      if (every) { await readAll(); return; }
      if (!ids.length) return;
      try { const found = await fetched(ids); if (found) merge(found, new Set(ids)); } catch { whole = true; }
    }, 200 + Math.random() * 600);
  };

  const show = async () => {
    const found = await readAll();
    if (!found) return;
    const at = document.activeElement, row = desk.contains(at) ? at.closest("tr[data-place]")?.id : null;
    const first = [...pending][0], moved = at === button;
    desk.replaceChildren(found);
    pending.clear(); told();
    const to = document.getElementById(row || (moved && first) || "")?.querySelector("[data-row]");
    if (to) to.focus(); else if (moved || row) desk.focus();
  };

  const mend = () => { if (broken && !lost) { broken = false; say(""); whole = true; soon(); } };
  const break_ = () => { if (!broken && !over) { broken = true; say(bar.dataset.broken); readAll(); } };
  const end = () => { over = true; say(bar.dataset.ended); stream?.close(); stream = null; };

  const connect = () => {
    if (over || document.hidden || stream) return;
    const mine = stream = new EventSource(bar.dataset.stream);
    const on = (name, then) => mine.addEventListener(name, (event) => { heard = Date.now(); then(event); });
    on("beat", mend);
    on("changed", (event) => { mend(); event.data.split(",").forEach((id) => asked.add(id)); soon(); });
    on("resync", () => { lost = false; mend(); whole = true; soon(); });
    on("down", () => { lost = true; break_(); });
    on("ended", end);
    // A browser comes back by itself after a broken line, but not after a refusal: then it is our turn.
    mine.addEventListener("error", () => {
      if (mine.readyState !== EventSource.CLOSED || stream !== mine) return;
      stream = null;
      setTimeout(connect, AGAIN);
    });
  };

  document.addEventListener("visibilitychange", () => {
    if (document.hidden) { stream?.close(); stream = null; } else { heard = Date.now(); connect(); whole = true; soon(); }
  });
  setInterval(() => {
    if (over || document.hidden) return;
    if (Date.now() - heard > SILENCE) break_();
    if (Date.now() - read > (broken ? POLL : ALL)) readAll();
  }, CHECK);

  button.addEventListener("click", show);
  document.addEventListener("huiying:show", () => { if (!button.hidden) show(); });
  window.addEventListener("pagehide", () => { stream?.close(); stream = null; });
  window.addEventListener("pageshow", (event) => { if (event.persisted) { heard = Date.now(); connect(); whole = true; soon(); } });
  told();
  connect();
})();
