import { start } from "./start.js";

start(import("./deployments-page.js"), "main");
