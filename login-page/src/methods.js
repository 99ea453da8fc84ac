// Which ways to sign in an environment offers, and which of them this page can go.
import {
  siApple,
  siBitbucket,
  siCoinbase,
  siDiscord,
  siEpicgames,
  siFacebook,
  siGithub,
  siGitlab,
  siGoogle,
  siInstagram,
  siLine,
  siSpotify,
  siSteam,
  siTiktok,
  siTwitch,
  siX,
} from "simple-icons";

/** Providers by Dynamic's name for them: their own name, and their mark. */
const PROVIDERS = {
  google: ["Google", siGoogle],
  apple: ["Apple", siApple],
  github: ["GitHub", siGithub],
  discord: ["Discord", siDiscord],
  twitter: ["X", siX],
  facebook: ["Facebook", siFacebook],
  microsoft: ["Microsoft", null],
  linkedin: ["LinkedIn", null],
  gitlab: ["GitLab", siGitlab],
  bitbucket: ["Bitbucket", siBitbucket],
  twitch: ["Twitch", siTwitch],
  spotify: ["Spotify", siSpotify],
  instagram: ["Instagram", siInstagram],
  tiktok: ["TikTok", siTiktok],
  line: ["LINE", siLine],
  steam: ["Steam", siSteam],
  epicgames: ["Epic Games", siEpicgames],
  coinbasesocial: ["Coinbase", siCoinbase],
};

/** @returns {{email: boolean, wallets: boolean, providers: {key: string, name: string, mark: string | null}[]}} */
export function methodsOf(settings) {
  const enabled = (settings.providers ?? []).filter((one) => one.enabledAt);
  const chains = (settings.chains ?? []).filter((one) => one.enabled);
  return {
    email: isEmailOn(settings, enabled),
    wallets: chains.length === 0 || chains.some((one) => ["evm", "eth"].includes(String(one.name).toLowerCase())),
    providers: enabled
      .filter((one) => one.provider in PROVIDERS && one.clientId)
      .map(({ provider }) => ({ key: provider, name: PROVIDERS[provider][0], mark: PROVIDERS[provider][1]?.path ?? null })),
  };
}

function isEmailOn(settings, enabled) {
  const byEmail = enabled.some((one) => one.provider === "dynamic" || one.provider === "emailOnly");
  return byEmail || (settings.providers ?? []).length === 0;
}
