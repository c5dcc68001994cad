// What a page of the console looks like from inside, noted at each frame: drawn, whole, answered.
(() => {
  if (window !== window.top) return;
  const watch = { main: null, first: null, whole: null, since: null, asked: false, ran: false, calm: null, answer: null };
  window.racewayWatch = watch;
  // Runs of the server are counted at the wire: what it says of them within one task of the page leaves no trace on it.
  // Of a ForwardMsg, a protocol buffer, the status in field 6; 2 is a run that broke off for another.
  const FINISHED = 6, BROKEN_OFF = 2;
  const finished = (bytes) => {
    let at = 0;
    const number = () => {
      let value = 0, scale = 1, byte;
      do { byte = bytes[at++]; value += (byte & 127) * scale; scale *= 128; } while (byte > 127);
      return value;
    };
    while (at < bytes.length) {
      const tag = number(), kind = tag & 7;
      const value = kind === 0 ? number() : null;
      if (tag >>> 3 === FINISHED) return value !== BROKEN_OFF;
      at += kind === 1 ? 8 : kind === 2 ? number() : kind === 5 ? 4 : 0;
    }
    return false;
  };
  window.WebSocket = class extends WebSocket {
    constructor(...given) {
      super(...given);
      this.addEventListener("message", ({ data }) => {
        if (watch.asked && data instanceof ArrayBuffer && finished(new Uint8Array(data))) watch.ran = true;
      });
    }
    send(data) {
      if (watch.since !== null) watch.asked = true;
      super.send(data);
    }
  };
  const LOADING = '[data-testid="stSkeleton"], [data-testid="stSpinner"], [data-testid="stAppSkeleton"]';
  const shown = (element) => element.getClientRects().length > 0;
  const within = (root, selector) => [...root.querySelectorAll(selector)].some(shown);
  const drawn = (root) => [...root.querySelectorAll(".raceway-chart")].every((one) => one.querySelector(".main-svg") !== null);
  const app = () => document.querySelector('[data-testid="stApp"]');
  const body = () => document.querySelector('[data-testid="stMain"]');
  const running = () => app() === null || app().getAttribute("data-test-script-state") === "running";
  const useful = () => {
    const root = body();
    if (root === null || watch.main === null || ![...root.querySelectorAll("h1")].some((h) => h.textContent.trim())) return false;
    return within(root, watch.main);
  };
  const quiet = () => {
    const root = body();
    return root !== null && !running() && root.querySelector('[data-stale="true"]') === null && !within(root, LOADING)
      && drawn(root);
  };
  const REST_MS = 300;
  // Looking costs the page its time too: no more often than a reader could tell.
  let last = 0;
  const step = (now) => {
    requestAnimationFrame(step);
    if (now - last < 30) return;
    last = now;
    if (watch.first === null && useful()) watch.first = performance.now();
    if (watch.first !== null && watch.whole === null && quiet()) watch.whole = performance.now();
    if (watch.since === null || watch.answer !== null) return;
    // Rest has to last, and counts from its beginning: what a run's end brought may be drawn some frames later, and the
    // run that ended may be one of a part that renews itself, with the answer's own to follow.
    if (!watch.ran || !quiet()) watch.calm = null;
    else if (watch.calm === null) watch.calm = now;
    else if (now - watch.calm >= REST_MS) watch.answer = watch.calm - watch.since;
  };
  requestAnimationFrame(step);
  const note = () => { if (watch.since === null) watch.since = performance.now(); };
  const armed = (event) => { if (watch.armed && (event.type !== "keydown" || event.key === "Enter")) note(); };
  for (const kind of ["pointerdown", "keydown"]) window.addEventListener(kind, armed, { capture: true });
  watch.opened = () => (watch.whole === null ? null : { first: watch.first, whole: watch.whole });
  watch.answered = () => watch.answer;
  watch.exceptions = () => [...document.querySelectorAll('[data-testid="stException"]')].map((e) => e.innerText.slice(0, 400));
  watch.overflow = () => {
    const root = body() || document.documentElement;
    return Math.max(root.scrollWidth - root.clientWidth, document.documentElement.scrollWidth - window.innerWidth);
  };
  // An answer is the end of the server's run, or what opens without one: a tab, a fold.
  watch.begin = () => {
    Object.assign(watch, { since: null, asked: false, ran: false, calm: null, answer: null, armed: true });
    if (watch.observer) watch.observer.disconnect();
    watch.observer = new MutationObserver((changes) => {
      if (watch.since === null || watch.asked) return;
      if (changes.some((c) => c.attributeName === "open" && c.target.tagName === "DETAILS")) watch.ran = true;
      if (changes.some((c) => c.attributeName === "aria-selected" && c.target.getAttribute("role") === "tab")) watch.ran = true;
    });
    watch.observer.observe(document.body, { attributes: true, subtree: true, childList: true });
  };
  const KINDS = {
    clickable: 'button, [role="tab"], [role="radio"], summary',
    option: '[role="option"]',
    selectbox: '[data-testid="stMain"] [data-testid="stSelectbox"] input',
    textfield: '[data-testid="stMain"] [data-testid="stTextInput"] input',
  };
  watch.find = (kind, label) => {
    const found = [...document.querySelectorAll(KINDS[kind])].filter((e) => shown(e) && (kind === "option" || body().contains(e)));
    const named = found.filter((e) => !label || e.innerText.trim().split("\n").pop() === label);
    const asked = kind === "textfield" ? named.find((e) => /find|search/i.test(e.ariaLabel || "")) : null;
    return asked || named[0] || (label && found.find((e) => e.innerText.trim().startsWith(label))) || null;
  };
})();
