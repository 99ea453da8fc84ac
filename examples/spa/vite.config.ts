import { defineConfig } from "vite";

// The port is part of what is registered at the bridge: better none than another.
const server = { port: 3000, strictPort: true };

export default defineConfig({ server, preview: server });
