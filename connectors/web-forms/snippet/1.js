// The script a site includes beside its forms. It fills in where the visitor came from, sends in the background, and keeps
// what could not be sent for a day. It sets no cookie, and leaves every form alone that neither posts to this gateway nor
// carries data-leadgate. Whatever fails, the form is posted as if the script were not there.
//
// A released version never changes: pages hold its hash. It is served without comments, spaces and long names; so every
// statement ends with a semicolon, texts stand in double quotes, no property is written in shorthand, and names to shorten are listed.
// names: added answer area base before body busy change data done empty entry event facts fill first flush form from here ids keep kept key later lock mode name note now ordinary other page pair plain post rest store tag tagged target text url value visit wait waiting words DAY TAGS
(() => {
  const tag = document.currentScript;
  if (!tag) return;
  // https://gateway/in/
  const base = tag.src.replace(/[^/]+\/[^/]+$/, "");
  const key = "leadgate " + base;
  // Two tags of one gateway on a page are one.
  if (window[key]) return;
  window[key] = 1;
  const DAY = 864e5;
  const now = Date.now;
  const text = (data) => "" + new URLSearchParams(data);

  // What the browser keeps for this site, which it may forbid: nothing given reads, 0 deletes.
  const keep = (area, name, value) => {
    try {
      const store = window[area + "Storage"];
      name = key + name;
      if (value) store.setItem(name, JSON.stringify(value));
      else if (value === 0) store.removeItem(name);
      else return JSON.parse(store.getItem(name));
      return 1;
    } catch (e) {}
  };

  // Where the visitor came from. The page is the one a visitor sees: within a frame of the same site, the one around it.
  let page = window;
  try {
    top.document && (page = top);
  } catch (e) {}
  const here = () => page.location.href.slice(0, 999);
  const TAGS = /^(utm_\w+|gclid|ys?clid|[gw]braid|gcl_id|fbclid|ttclid|msclkid|rb_clickid|vk_click_id|_openstat|roistat)$/;
  let visit = {}, first;
  new URLSearchParams(page.location.search).forEach((value, name) => {
    name = name.toLowerCase();
    if (TAGS.test(name) && value) visit[name] = visit[name] || value.slice(0, 500);
  });
  const tagged = Object.keys(visit)[0];
  const from = page.document.referrer;
  if (from && from.split("/")[2] != page.location.host) visit.referrer = from.slice(0, 999);
  // Who asks not to be tracked is told about by this page alone.
  if (navigator.globalPrivacyControl || navigator.doNotTrack == 1) keep("local", "first", 0);
  else {
    visit.landing_page = here();
    const before = keep("session", "visit");
    if (before && !tagged) visit = before;
    else keep("session", "visit", visit);
    first = keep("local", "first");
    if (!first || !(Date.parse(first.at) > now() - 90 * DAY)) keep("local", "first", first = { ...visit, at: new Date().toISOString() });
  }

  // A browser's own UUIDs, which it gives on pages without TLS, too.
  const ids = new WeakMap();
  const mode = (form) => form.getAttribute("data-leadgate");
  // Not form.action: a field may have that name.
  const target = (form) => new URL(form.getAttribute("action") || "", document.baseURI).href;
  const fill = (form, data) => {
    if (mode(form) == null && !target(form).startsWith(base)) return;
    if (!ids.has(form)) ids.set(form, URL.createObjectURL(new Blob()).slice(-36));
    const facts = { ...visit, page_url: here(), _id: ids.get(form) };
    if (first) facts._first = text(first);
    for (const name in facts) if (!data.get(name)) data.set(name, facts[name]);
  };
  // However a form is read: sent, form.submit(), new FormData(form) in the page's own script.
  addEventListener("formdata", (event) => fill(event.target, event.formData));

  const post = (url, body) => fetch(url, { method: "POST", body: new URLSearchParams(body), headers: { Accept: "application/json" }, credentials: "omit", signal: AbortSignal.timeout(2e4) });
  const later = (answer) => answer.status > 499 || answer.status == 429;

  // What waits: [id, URL, body, since when, tries], for a day at most; from try to try twice as long.
  const waiting = () => (keep("local", "queue") || []).filter((entry) => entry[3] > now() - DAY);
  const change = (entry, added) => {
    const rest = waiting().filter((other) => other[0] != entry[0]).concat(added || []);
    return keep("local", "queue", rest[0] ? rest : 0);
  };
  const flush = async (lock) => {
    for (const entry of lock ? waiting() : []) {
      if (!navigator.onLine || now() < entry[3] + (2 ** entry[4] - 1) * 6e4) continue;
      const answer = await post(entry[1], entry[2]).catch(() => ({ status: 500 }));
      entry[4]++;
      change(entry, later(answer) ? [entry] : []);
    }
  };
  // One page at a time, where the browser can tell: a second sending would be a repeat.
  const empty = () => navigator.locks ? navigator.locks.request(key, { ifAvailable: true }, flush) : flush(1);

  const plain = new WeakSet();
  const busy = new WeakSet();
  addEventListener("submit", (event) => {
    const form = event.target;
    const by = event.submitter;
    const url = target(form);
    if (plain.has(form) || event.defaultPrevented || mode(form) == "fill" || !url.startsWith(base) || !/^post$/i.test(form.getAttribute("method")) || !/^(_self)?$/.test(form.getAttribute("target") || "") || by && by.hasAttribute("formaction")) return;
    const data = new FormData(form);
    fill(form, data);
    if (by && by.name) data.append(by.name, by.value);
    // Files go the ordinary way; an empty file field is none.
    for (const pair of [...data]) if (pair[1].size) return; else if (pair[1].slice(0, 0) !== "") data.delete(pair[0]);
    event.preventDefault();
    if (busy.has(form)) return;
    busy.add(form);
    const body = text(data);
    // Kept before it is sent: the visitor may close the page at once.
    const entry = [data.get("_id"), url, body, now(), 1];
    const kept = change(entry, [entry]);
    // Not at once: a form that is just being submitted cannot be submitted.
    const ordinary = () => setTimeout(() => {
      plain.add(form);
      form.requestSubmit(by);
    });
    const done = (words, answer) => {
      busy.delete(form);
      ids.delete(form);
      // A page that shows something of its own prevents what follows.
      if (!form.dispatchEvent(new CustomEvent("leadgate", { bubbles: true, cancelable: true, detail: { state: words, id: entry[0] } }))) return;
      if (answer.next) return location.assign(answer.next);
      const note = document.createElement("p");
      note.className = "leadgate-" + words;
      note.setAttribute("role", "status");
      note.textContent = answer.message;
      form.replaceWith(note);
    };
    const wait = () => {
      entry[4] = 0;
      change(entry, [entry]);
      done("queued", { message: /^ru/.test(document.documentElement.lang || navigator.language) ? "Нет связи. Отправим, как только она появится." : "No connection. It will be sent once there is one." });
      setTimeout(empty, 9e3);
    };
    post(url, body).then(async (answer) => {
      if (!later(answer)) change(entry);
      if (answer.ok) done("sent", await answer.json());
      else if (later(answer) && kept) wait();
      else ordinary();
      // Should the ordinary way fail too, what is kept is sent by and by; should it not, that is a repeat.
    }).catch(() => kept && !navigator.onLine ? wait() : ordinary());
  });
  addEventListener("online", empty);
  setInterval(empty, 6e4);
  change([]);
  empty();
})();
