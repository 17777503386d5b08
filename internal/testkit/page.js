// What the test's browser asks of a page. Evaluated anew for every question; nothing stays in the page.
(() => {
  const visible = (el) => el.getClientRects().length > 0 && el.checkVisibility({ visibilityProperty: true });
  const short = (text, max) => {
    text = (text ?? "").replace(/\s+/g, " ").trim();
    return text.length > max ? text.slice(0, max) + "…" : text;
  };
  const name = (el) => {
    let s = el.localName;
    if (el.id) s += "#" + el.id;
    else if (el.classList.length) s += "." + [...el.classList].join(".");
    return s;
  };
  const no = (why) => ({ ok: false, why });
  const yes = (more) => ({ ok: true, ...more });
  const seen = (selector) => {
    const all = [...document.querySelectorAll(selector)];
    return { all, el: all.find(visible) };
  };
  const find = (selector, then) => {
    const { all, el } = seen(selector);
    if (el) return then(el);
    return no(all.length ? `${all.length} on the page, none of them visible` : "nothing on the page matches");
  };
  const usable = (el) => {
    if (el.matches(":disabled") || el.closest("[inert]")) return `${name(el)} is disabled`;
    return "";
  };
  const changed = (el) => {
    el.dispatchEvent(new Event("input", { bubbles: true, composed: true }));
    el.dispatchEvent(new Event("change", { bubbles: true }));
  };

  return {
    has: (selector) => Boolean(seen(selector).el),
    wait: (selector) => find(selector, () => yes()),
    gone: (selector) => {
      const { el } = seen(selector);
      return el ? no(`${name(el)} is still there: ${short(el.innerText, 200)}`) : yes();
    },
    text: (selector) => find(selector, (el) => yes({ text: el.innerText.trim() })),
    waitText: (selector, part) => {
      const { all } = seen(selector);
      const texts = all.filter(visible).map((el) => el.innerText);
      if (texts.some((text) => text.includes(part))) return yes();
      if (!all.length) return no("nothing on the page matches");
      return no(`it says ${texts.map((text) => JSON.stringify(short(text, 300))).join(", ") || "nothing that is visible"}`);
    },

    // Where to click: the middle of the element, once the mouse would really meet it there.
    target: (selector) =>
      find(selector, (el) => {
        const why = usable(el);
        if (why) return no(why);
        let box = el.getClientRects()[0];
        if (box.top < 0 || box.left < 0 || box.bottom > innerHeight || box.right > innerWidth) {
          el.scrollIntoView({ block: "center", inline: "nearest", behavior: "instant" });
          box = el.getClientRects()[0];
        }
        const x = box.left + box.width / 2;
        const y = box.top + box.height / 2;
        let hit = document.elementFromPoint(x, y);
        while (hit?.shadowRoot?.elementFromPoint(x, y) && hit.shadowRoot.elementFromPoint(x, y) !== hit) {
          hit = hit.shadowRoot.elementFromPoint(x, y);
        }
        const host = hit?.getRootNode().host;
        if (!hit || !(el.contains(hit) || (host && el.contains(host)) || hit.closest("label")?.control === el)) {
          return no(`${name(el)} is ${hit ? `covered by ${name(hit)}` : "outside the window"}`);
        }
        return yes({ x, y });
      }),

    // Makes a field ready for typing over what it holds. Fields that are not typed into take the value here.
    edit: (selector, value) =>
      find(selector, (el) => {
        const why = usable(el) || (el.readOnly ? `${name(el)} is read-only` : "");
        if (why) return no(why);
        el.focus();
        if (el.isContentEditable) {
          getSelection().selectAllChildren(el);
          return yes({ type: true });
        }
        if (!("value" in el) || el.localName === "select" || el.localName === "button") return no(`${name(el)} is not a field`);
        if (/^(date|datetime-local|month|week|time|color|range)$/.test(el.type)) {
          Object.getOwnPropertyDescriptor(HTMLInputElement.prototype, "value").set.call(el, value);
          if (el.value !== value) return no(`${name(el)} does not take ${JSON.stringify(value)}, it holds ${JSON.stringify(el.value)}`);
          changed(el);
          return yes();
        }
        if (/^(checkbox|radio|file|submit|button|reset|image|hidden)$/.test(el.type)) return no(`${name(el)} is of type ${el.type}`);
        el.select();
        return yes({ type: true });
      }),

    select: (selector, value) =>
      find(selector, (el) => {
        const why = usable(el) || (el.localName === "select" ? "" : `${name(el)} is not a select`);
        if (why) return no(why);
        const options = [...el.options].filter((option) => !option.disabled);
        const option = options.find((o) => o.value === value) ?? options.find((o) => o.label === value);
        if (!option) return no(`${name(el)} offers ${options.map((o) => JSON.stringify(o.value)).join(", ")}`);
        el.focus();
        if (!option.selected || el.multiple) {
          option.selected = true;
          changed(el);
        }
        return yes();
      }),

    focused: () => {
      let el = document.activeElement;
      while (el?.shadowRoot?.activeElement) el = el.shadowRoot.activeElement;
      if (!el || el === document.body) return "body";
      let s = el.localName;
      if (el.id) s += "#" + el.id;
      const text = short(el.getAttribute("aria-label") || el.labels?.[0]?.innerText || el.innerText || el.title || el.placeholder, 60);
      if (text) s += ` "${text}"`;
      const href = el.getAttribute("href");
      if (href !== null) s += " " + href;
      return s;
    },

    // Elements through which a marked string has become more than text.
    alive: (mark) => {
      const marked = new RegExp(mark);
      const found = [];
      const loads = /^(src|srcset|srcdoc|poster|background|data|action|formaction|ping|manifest|codebase|archive|classid|xlink:href)$/;
      const commands = /^(data-)?(hx-|sse-|ws-|x-|v-|ng-|@|:|_$|on)/;
      const scripted = /^(javascript|vbscript|livescript|data:\s*(text\/html|image\/svg|application\/xhtml|text\/xml|application\/xml))/i;
      const says = (el, what) => found.push(`${short(el.outerHTML ?? name(el), 160)}: ${what}`);
      // A page may put what was searched for into the query of its own address; anywhere else it is an attack.
      const ownQuery = (value) => {
        let url;
        try {
          url = new URL(value, document.baseURI);
        } catch {
          return false;
        }
        return url.origin === location.origin && !marked.test(url.pathname + url.username);
      };
      const plain = (value) => value.replace(/[\u0000-\u0020\u007f-\u00a0\u200b-\u200f\u2028-\u202e\u2060-\u206f\ufeff]+/g, "");
      const look = (root) => {
        for (const el of root.querySelectorAll("*")) {
          if (marked.test(el.localName)) says(el, "an element of the attack's own");
          if (el.localName === "script" && marked.test(el.text ?? el.textContent) && !/json$/.test(el.type)) says(el, "a script");
          if (el.localName === "style" && marked.test(el.textContent)) says(el, "a style sheet");
          if (el.localName === "meta" && marked.test(el.content) && (el.httpEquiv || el.name === "htmx-config")) says(el, "an order to the browser");
          for (const { name: key, value } of el.attributes) {
            if (marked.test(key)) says(el, `an attribute ${key} of the attack's own`);
            if (!marked.test(value)) continue;
            const hx = key.match(/^(?:data-)?(?:hx|sse|ws)-(.*)/)?.[1];
            if (/^(confirm|prompt)$/.test(hx)) continue; // words for people
            if (/^(vals|headers|request)$/.test(hx) && !/^(js|javascript):/i.test(plain(value))) continue; // data
            const address = /^(get|post|put|patch|delete|push-url|replace-url|connect)$/.test(hx);
            if (commands.test(key) && !(address && ownQuery(value))) says(el, `the attribute ${key} acts`);
            else if (key === "style") says(el, "a style");
            else if (loads.test(key) && !ownQuery(value)) says(el, `the attribute ${key} loads`);
            else if (key === "href" && !/^(a|area)$/.test(el.localName) && !ownQuery(value)) says(el, "the attribute href loads");
            else if (/href|^(src|action|formaction|data|to|from|values|by)$/.test(key) && scripted.test(plain(value))) says(el, `the attribute ${key} is a script`);
          }
          if (el.shadowRoot) look(el.shadowRoot);
          if (el.localName === "template" && el.content) look(el.content);
          let inner = null;
          try {
            inner = el.contentDocument;
          } catch {} // of another origin
          if (inner) look(inner);
        }
      };
      look(document);
      return found;
    },
  };
})()
