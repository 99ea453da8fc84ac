import { readConfig } from "./config.js";
import { SignIn } from "./signin.js";
import { signOut } from "./signout.js";

const config = readConfig();
if (config.page === "signout") await signOut(config);
else await new SignIn(config).begin();
