import { start } from "./start.js";

start(import("./app.js"), "stage");
