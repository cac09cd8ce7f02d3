import type { ComponentChildren } from 'preact';
import { useEffect, useRef, useState } from 'preact/hooks';
import { onKeyAsked } from './api';

type Theme = 'auto' | 'light' | 'dark';
const themes: Theme[] = ['auto', 'light', 'dark'];
const themeName = 'streaming-theme';

/** Before anything is drawn, so that the page does not flash. */
function applyTheme(theme: Theme) {
  if (theme === 'auto') delete document.documentElement.dataset.theme;
  else document.documentElement.dataset.theme = theme;
  dispatchEvent(new Event('themechange'));
}

const stored = localStorage.getItem(themeName) as Theme | null;
applyTheme(stored && themes.includes(stored) ? stored : 'auto');

function ThemeButton() {
  const [theme, setTheme] = useState<Theme>((document.documentElement.dataset.theme as Theme) ?? 'auto');
  const next = themes[(themes.indexOf(theme) + 1) % themes.length];
  return (
    <button
      type="button"
      class="quiet"
      onClick={() => {
        localStorage.setItem(themeName, next);
        applyTheme(next);
        setTheme(next);
      }}
    >
      Theme: {theme}
    </button>
  );
}

/** The frame of every page: skip link, banner, navigation, the page's own content, and the dialog that asks for a key. */
export function Frame(props: { here: 'feed' | 'dashboard'; title: string; children: ComponentChildren }) {
  // Where operators have an address of their own, the other page is not here.
  const apart = document.documentElement.dataset.admin === 'apart';
  return (
    <>
      <a class="skip" href="#content">Skip to content</a>
      <header class="banner">
        <h1>{props.title}</h1>
        <nav aria-label="Pages">
          {apart ? null : (
            <>
              <a href="/" aria-current={props.here === 'feed' ? 'page' : undefined}>Live feed</a>
              <a href="/dashboard" aria-current={props.here === 'dashboard' ? 'page' : undefined}>Dashboard</a>
            </>
          )}
          <ThemeButton />
        </nav>
      </header>
      <main id="content" tabIndex={-1}>{props.children}</main>
      <KeyDialog />
    </>
  );
}

/** Asks for an API key; it stays in this tab. */
function KeyDialog() {
  const dialog = useRef<HTMLDialogElement>(null);
  const [why, setWhy] = useState('');
  const [key, setKey] = useState('');
  const answer = useRef<(key: string | null) => void>(() => {});
  useEffect(() => {
    onKeyAsked((reason) => {
      setWhy(reason);
      setKey('');
      dialog.current?.showModal();
      return new Promise((resolve) => (answer.current = resolve));
    });
  }, []);
  return (
    <dialog ref={dialog} aria-labelledby="key-title" onClose={() => answer.current(dialog.current?.returnValue === 'use' && key.trim() ? key.trim() : null)}>
      <form method="dialog">
        <h2 id="key-title">API key</h2>
        <p>{why} It is kept in this tab only, and sent to this node only.</p>
        <label>
          Key
          <input type="password" autocomplete="off" value={key} onInput={(e) => setKey(e.currentTarget.value)} required />
        </label>
        <p class="buttons">
          <button value="use">Use this key</button>
          <button value="cancel" class="quiet" formNoValidate>Cancel</button>
        </p>
      </form>
    </dialog>
  );
}
