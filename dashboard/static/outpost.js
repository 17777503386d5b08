// What the pages need beside htmx: copying, dialogs, menus, the keyboard, the reader's time zone, and honesty about
// live views that have lost their connection.
(() => {
  const $ = (s, from = document) => from.querySelector(s), $$ = (s, from = document) => [...from.querySelectorAll(s)];

  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  const kept = 'outpost-zone=' + encodeURIComponent(zone);
  if (zone && !document.cookie.split('; ').includes(kept)) {
    document.cookie = kept + '; path=/; max-age=31536000; samesite=lax';
    if (zone !== 'UTC' && $('time[datetime]') && !sessionStorage.getItem('zone-told')) {
      sessionStorage.setItem('zone-told', '1');
      location.reload();
    }
  }

  document.addEventListener('click', async e => {
    const copy = e.target.closest('[data-copy]');
    if (copy) {
      const from = document.getElementById(copy.dataset.copy);
      try { await navigator.clipboard.writeText(from.value ?? from.textContent); } catch {
        if (from.select) { from.select(); document.execCommand('copy'); }
      }
      const before = copy.innerHTML;
      if (copy.classList.contains('copied')) return;
      copy.classList.add('copied');
      copy.textContent = 'Copied';
      setTimeout(() => { copy.innerHTML = before; copy.classList.remove('copied'); }, 2000);
      return;
    }
    if (e.target.closest('[data-keys-help]')) return $('#keys').showModal();
    for (const menu of $$('details.menu[open]')) if (!menu.contains(e.target)) menu.open = false;
  });

  // A dialog that the server rendered open becomes one that holds the focus.
  const dialogs = () => { for (const d of $$('dialog.modal[open]')) if (!d.matches(':modal')) { d.close(); d.showModal(); $('.scrim')?.remove(); } };
  dialogs();
  document.addEventListener('cancel', e => { const away = e.target.dataset?.close; if (away) { e.preventDefault(); location.assign(away); } }, true);
  document.addEventListener('htmx:afterSwap', dialogs);

  // Forms are sent once; htmx does it for its own.
  document.addEventListener('submit', e => { if (!e.target.closest('[hx-post]') && e.target.method === 'post') setTimeout(() => { for (const b of $$('button', e.target)) b.disabled = true; }); });
  addEventListener('pageshow', e => { if (e.persisted) for (const b of $$('form button:disabled')) b.disabled = false; });
  document.addEventListener('change', e => {
    const all = e.target.closest('[data-choose-all]');
    if (all) for (const box of $$('input[type=checkbox][name=' + all.dataset.chooseAll + ']', all.form)) box.checked = all.checked;
    if (e.target.form?.dataset.submitOnChange !== undefined) e.target.form.requestSubmit();
    if (e.target.id === 'keys-on') localStorage.setItem('keys', e.target.checked ? '' : 'off');
    chosen(e.target.form);
  });
  const chosen = form => { if (form) for (const b of $$('[data-needs-choice]', form)) b.disabled = !$('input[name=' + b.dataset.needsChoice + ']:checked', form); };
  for (const form of document.forms) chosen(form);

  // Live views. What is shown is as of the last message; say so when it is old.
  let lost = 0;
  const clock = () => new Date().toTimeString().slice(0, 8);
  document.addEventListener('htmx:sseOpen', e => {
    clearTimeout(lost); lost = 0;
    for (const l of $$('.live-off')) { l.className = 'live'; l.textContent = 'Live'; }
    for (const s of $$('.is-stale')) s.classList.remove('is-stale');
    $('#live-lost')?.remove();
    const source = e.detail.source;
    if (!source.outpost) {
      source.outpost = true;
      for (const over of ['bye', 'done']) source.addEventListener(over, () => { source.close(); location.reload(); });
    }
  });
  document.addEventListener('htmx:sseError', () => {
    if (lost) return;
    const since = clock();
    lost = setTimeout(() => {
      for (const l of $$('.live')) { l.className = 'live-off'; l.textContent = 'Reconnecting, as of ' + since; }
      for (const s of $$('[sse-swap]')) s.classList.add('is-stale');
      lost = setTimeout(() => {
        const note = document.createElement('div');
        note.className = 'note note-held'; note.id = 'live-lost'; note.setAttribute('role', 'status');
        note.innerHTML = '<p>The connection is gone since ' + since + '. <a href="">Load the page anew</a></p>';
        $('#main').prepend(note);
      }, 27000);
    }, 3000);
  });
  let told = -1;
  document.addEventListener('htmx:sseMessage', () => {
    const bar = $('[role=progressbar][data-announce]');
    if (!bar) return;
    const step = Math.floor(bar.getAttribute('aria-valuenow') / 25) * 25;
    if (step > told && told >= 0) $('#toasts').innerHTML = '<p class="sr">' + step + ' % applied</p>';
    told = Math.max(step, told);
  });

  // The keyboard.
  const pages = { p: '/people', g: '/groups', r: '/runs', a: '/activity', f: '/activity/failures', h: '/activity/held', s: '/settings/security' };
  let g = 0;
  const keysOn = $('#keys-on');
  if (keysOn) keysOn.checked = localStorage.getItem('keys') !== 'off';
  document.addEventListener('keydown', e => {
    if (e.key === 'Escape') {
      const menu = $('details.menu[open]');
      if (menu) { menu.open = false; $('summary', menu).focus(); }
    }
    if (!keysOn || e.ctrlKey || e.metaKey || e.altKey || e.target.closest('input:not([type=checkbox]), textarea, select, [contenteditable]') || localStorage.getItem('keys') === 'off' || $('dialog[open]')) return;
    if (Date.now() - g < 1500 && pages[e.key]) { g = 0; return location.assign(pages[e.key]); }
    const rows = $$('main tbody tr .main a, main tbody tr .main b[tabindex]'), at = rows.findIndex(a => a.closest('tr').contains(document.activeElement));
    switch (e.key) {
      case 'g': g = Date.now(); break;
      case '/': e.preventDefault(); ($('main input[type=search]') ?? $('#find')).focus(); break;
      case 'j': rows[Math.min(at + 1, rows.length - 1)]?.focus(); break;
      case 'k': rows[Math.max(at - 1, 0)]?.focus(); break;
      case 'x': $('input[type=checkbox]', document.activeElement.closest('tr') ?? document.createElement('p'))?.click(); break;
      case '?': $('#keys')?.showModal(); break;
    }
  });
})();
