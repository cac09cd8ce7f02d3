import { defineConfig } from 'vite';

// Everything under /ui/ carries a hash of its content in its name, so the node lets browsers keep it for good. Nothing is inlined:
// the pages' content security policy allows files of their own origin only.
export default defineConfig({
  base: '/ui/',
  build: {
    outDir: '../dist',
    emptyOutDir: true,
    assetsDir: '',
    assetsInlineLimit: 0,
    modulePreload: { polyfill: false },
    target: 'es2022',
    rolldownOptions: { input: { feed: 'index.html', dashboard: 'dashboard.html' } },
  },
});
