"use strict";
(() => {
  const all = (selector, root = document) => Array.from(root.querySelectorAll(selector));

  // Buttons that copy the text of another element. They are hidden without this script.
  const showCopyButtons = (root) => {
    if (!navigator.clipboard) return;
    for (const button of all("button.copy", root)) button.hidden = false;
  };
  const said = document.createElement("div");
  said.className = "aside";
  said.setAttribute("role", "status");
  document.body.append(said);
  let silence;
  document.addEventListener("click", async (event) => {
    const button = event.target.closest("button.copy");
    if (!button) return;
    const source = document.getElementById(button.dataset.copy);
    if (!source) return;
    const label = button.dataset.label || (button.dataset.label = button.textContent);
    try {
      await navigator.clipboard.writeText(source.textContent);
      button.textContent = "Copied";
    } catch {
      getSelection().selectAllChildren(source);
      button.textContent = "Press Ctrl+C";
    }
    said.textContent = button.textContent;
    // What an earlier button has said does not silence this one.
    clearTimeout(silence);
    silence = setTimeout(() => { said.textContent = ""; }, 2000);
    setTimeout(() => { button.textContent = label; }, 2000);
  });

  // `/` moves to the search field.
  const field = document.getElementById("q");
  document.addEventListener("keydown", (event) => {
    if (event.key !== "/" || event.ctrlKey || event.metaKey || event.altKey || !field) return;
    if (event.target.closest("input, textarea, select, [contenteditable]")) return;
    event.preventDefault();
    field.focus();
    field.select();
  });

  // On the page of a search, results follow what is typed.
  const results = document.getElementById("results");
  const form = field && field.form;
  if (results && form) {
    let timer = 0;
    let running = null;
    const load = async (url, keep) => {
      if (running) running.abort();
      const mine = running = new AbortController();
      results.setAttribute("aria-busy", "true");
      try {
        const asked = new URL(url);
        asked.searchParams.set("fragment", "1");
        const answer = await fetch(asked, { signal: mine.signal, headers: { accept: "text/html" } });
        if (!answer.ok || answer.redirected) { location.assign(url); return; }
        const html = await answer.text();
        if (running !== mine) return;
        // The server wrote this HTML, as it writes whole pages.
        results.innerHTML = html;
        showCopyButtons(results);
        const heading = results.querySelector("[data-title]");
        if (heading) document.title = heading.dataset.title;
        if (keep) history.replaceState({ searched: true }, "", url);
      } catch (error) {
        if (error.name !== "AbortError") location.assign(url);
      } finally {
        if (running === mine) { running = null; results.removeAttribute("aria-busy"); }
      }
    };
    const wanted = () => {
      const url = new URL(location.href);
      url.searchParams.delete("page");
      url.searchParams.delete("fragment");
      if (field.value.trim()) url.searchParams.set("q", field.value);
      else url.searchParams.delete("q");
      return url;
    };
    // The first change gets a step of its own in the history, so that Back leads to what was there before.
    let stepped = false;
    field.addEventListener("input", () => {
      clearTimeout(timer);
      timer = setTimeout(() => {
        const url = wanted();
        if (url.href === location.href) return;
        if (!stepped) { history.pushState({ searched: true }, "", url); stepped = true; }
        load(url, true);
      }, 150);
    });
    form.addEventListener("submit", (event) => {
      event.preventDefault();
      clearTimeout(timer);
      const url = wanted();
      if (url.href !== location.href) history.pushState({ searched: true }, "", url);
      stepped = false;
      load(url, false);
    });
    addEventListener("popstate", () => {
      stepped = false;
      field.value = new URL(location.href).searchParams.get("q") || "";
      load(new URL(location.href), false);
    });
  }

  // A choice of two versions leads to their difference.
  const versions = document.getElementById("compare");
  if (versions) {
    const button = versions.querySelector("button[type=submit]");
    const check = () => { button.disabled = all("input[type=checkbox]:checked", versions).length !== 2; };
    versions.addEventListener("change", (event) => {
      const chosen = all("input[type=checkbox]:checked", versions);
      if (chosen.length > 2) chosen.find((box) => box !== event.target).checked = false;
      check();
    });
    check();
  }

  // The status of a version follows the server's events, and asks for it again and again where there are none. A hidden
  // page does neither, because browsers have few connections to a host.
  const status = document.getElementById("status");
  if (status && status.dataset.events) {
    let events = null;
    let timer = 0;
    let isOver = false;
    const show = (html) => {
      const held = document.createElement("template");
      // The server wrote this HTML, as it writes whole pages.
      held.innerHTML = html;
      for (const part of held.content.children) {
        const shown = document.getElementById(part.id);
        if (!shown || shown.innerHTML === part.innerHTML) continue;
        const open = all("details", shown).map((one) => one.open);
        shown.innerHTML = part.innerHTML;
        all("details", shown).forEach((one, place) => { one.open = Boolean(open[place]); });
      }
      const more = held.content.querySelector("[data-title]");
      document.title = `${more.dataset.title} · supercargo`;
      isOver = "done" in more.dataset;
    };
    const stop = () => {
      if (events) events.close();
      events = null;
      clearTimeout(timer);
      timer = 0;
    };
    const ask = async () => {
      let pause = 5;
      try {
        const answer = await fetch(status.dataset.part, { headers: { accept: "text/html" } });
        if (answer.redirected) { location.reload(); return; }
        if (answer.ok) show(await answer.text());
        else pause = Number(answer.headers.get("retry-after")) || pause;
      } catch {
        // The server is away; it may come back.
      }
      if (!isOver && !events && !document.hidden) timer = setTimeout(ask, pause * 1000);
    };
    const follow = () => {
      if (isOver || events || timer || document.hidden) return;
      events = new EventSource(status.dataset.events);
      events.addEventListener("status", (event) => show(event.data));
      events.addEventListener("end", (event) => { stop(); show(event.data); });
      // After a lost connection the browser begins another stream by itself; after a refusal it does not.
      events.addEventListener("error", () => {
        if (!events || events.readyState !== EventSource.CLOSED) return;
        stop();
        ask();
      });
    };
    document.addEventListener("visibilitychange", () => { stop(); follow(); });
    addEventListener("pagehide", stop);
    addEventListener("pageshow", follow);
    follow();
  }

  // Lines of a source: `#L3-L9` names several, and Shift with a click on a number chooses them.
  const chosenLines = () => /^#([LO])(\d+)(?:-\1(\d+))?$/.exec(location.hash);
  const showLines = (scroll) => {
    for (const line of all(".chosen")) line.classList.remove("chosen");
    const chosen = chosenLines();
    if (!chosen) return;
    const [, prefix, from, to = from] = chosen;
    const [low, high] = [Number(from), Number(to)].sort((one, other) => one - other);
    for (let number = low; number <= high; number++) {
      const line = document.getElementById(prefix + number);
      if (!line) break;
      line.classList.add("chosen");
      if (scroll && number === low) line.scrollIntoView({ block: "center" });
    }
  };
  if (document.querySelector("pre.source")) {
    showLines(location.hash.includes("-"));
    addEventListener("hashchange", () => showLines(location.hash.includes("-")));
    document.addEventListener("click", (event) => {
      const number = event.target.closest("pre.source span[id] > a");
      const chosen = number && event.shiftKey && chosenLines();
      const end = number && number.parentElement.id;
      if (!chosen || chosen[1] !== end[0]) return;
      event.preventDefault();
      const [low, high] = [Number(chosen[2]), Number(end.slice(1))].sort((one, other) => one - other);
      history.replaceState(null, "", `#${chosen[1]}${low}-${chosen[1]}${high}`);
      getSelection().removeAllRanges();
      showLines(false);
    });
  }

  // The differences of a file that was too long for the page take the place of the link to them.
  document.addEventListener("click", async (event) => {
    const link = event.target.closest("a.load");
    if (!link || event.ctrlKey || event.metaKey || event.shiftKey) return;
    event.preventDefault();
    const asked = new URL(link.href);
    asked.searchParams.set("fragment", "1");
    link.setAttribute("aria-busy", "true");
    try {
      const answer = await fetch(asked, { headers: { accept: "text/html" } });
      if (!answer.ok || answer.redirected) throw new Error(answer.status);
      const section = link.closest("section");
      const held = document.createElement("template");
      // The server wrote this HTML, as it writes whole pages.
      held.innerHTML = await answer.text();
      const loaded = held.content.firstElementChild;
      const title = loaded.querySelector("h3");
      title.id = section.querySelector("h3").id;
      title.tabIndex = -1;
      loaded.setAttribute("aria-labelledby", title.id);
      section.replaceWith(loaded);
      title.focus();
    } catch {
      location.assign(link.href);
    }
  });

  // Parts of a page that are refreshed every few seconds while somebody sees them.
  if (document.querySelector("[data-live]")) {
    const stale = document.getElementById("stale");
    let timer = 0;
    const plan = (seconds) => {
      clearTimeout(timer);
      if (!document.hidden) timer = setTimeout(refresh, seconds * 1000);
    };
    const put = (part) => {
      const old = document.getElementById(part.id);
      const isSelected = !getSelection().isCollapsed && getSelection().containsNode(old, true);
      if (!old || isSelected) return;
      const open = all("details[open]", old).map((one) => one.id);
      for (const one of all("details", part)) one.open = open.includes(one.id);
      if (old.innerHTML === part.innerHTML) return;
      const focused = old.contains(document.activeElement) && document.activeElement;
      const scrolled = all(".scroll", old).map((one) => one.scrollLeft);
      old.replaceChildren(...part.childNodes);
      all(".scroll", old).forEach((one, place) => { one.scrollLeft = scrolled[place] || 0; });
      const name = (one) => one.ariaLabel || one.textContent;
      const same = (one) => one.tagName === focused.tagName && one.href === focused.href && name(one) === name(focused);
      const found = focused && all("a, summary, button, [tabindex]", old).find(same);
      if (found) found.focus({ preventScroll: true });
    };
    const refresh = async () => {
      const asked = new URL(location.href);
      asked.searchParams.set("fragment", "1");
      try {
        const answer = await fetch(asked, { headers: { accept: "text/html" } });
        if (answer.redirected || (answer.status >= 400 && answer.status < 500)) { stale.hidden = false; return; }
        if (!answer.ok) throw new Error(answer.status);
        const held = document.createElement("template");
        // The server wrote this HTML, as it writes whole pages.
        held.innerHTML = await answer.text();
        for (const part of all("[data-live]", held.content)) put(part);
        stale.hidden = true;
        plan(5);
      } catch {
        stale.hidden = false;
        plan(20);
      }
    };
    document.addEventListener("visibilitychange", () => plan(0.2));
    plan(5);
  }

  showCopyButtons(document);
})();
