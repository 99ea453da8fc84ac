// Imported before the SDK: its parser of answers (zod) would try whether the page's policy lets it compile code.
import { config } from "zod/mini";

config({ jitless: true });
