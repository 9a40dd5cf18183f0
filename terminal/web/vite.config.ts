/** How the page is built (into Django's static files) and served while developing (beside a running `make up`). */

import { defineConfig } from 'vitest/config'

const SERVER = process.env['TERMINAL_SERVER'] ?? 'http://localhost:8000'
/** The data server that the development server passes everything but the page on to. */

export default defineConfig(({ command }) => ({
  base: command === 'build' ? '/static/terminal/app/' : '/',
  oxc: { jsx: { runtime: 'automatic', importSource: 'preact' } },
  build: {
    outDir: '../static/terminal/app',
    emptyOutDir: true,
    target: 'es2022',
    manifest: false,
    chunkSizeWarningLimit: 1500, // kB; the grid alone is most of it
    rolldownOptions: {
      input: 'src/main.tsx',
      output: {
        // The template names these two; all that they load carries a hash.
        entryFileNames: 'main.js',
        chunkFileNames: 'chunks/[name]-[hash].js',
        assetFileNames: (asset) => (asset.names.includes('main.css') ? 'main.css' : 'assets/[name]-[hash][extname]'),
      },
    },
  },
  server: {
    // The Host stays this server's own: the origin that Django and the websocket compare it with is.
    proxy: Object.fromEntries(
      ['/api', '/admin', '/about', '/static', '/ws'].map((path) => [path, { target: SERVER, changeOrigin: false, ws: true }]),
    ),
  },
  // One module graph for all: the tests keep nothing behind, and a fresh one for each file cost four times their time.
  test: { environment: 'node', include: ['src/**/*.test.ts'], isolate: false },
}))
