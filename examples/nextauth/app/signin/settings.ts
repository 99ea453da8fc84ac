export interface DynamicSettings {
  environmentId: string;
  /** Where it is not Dynamic's own. */
  apiBaseUrl?: string;
}

/** What the browser is told of Dynamic; null if users sign in elsewhere. Read when a page is asked for, not when it is built. */
export function dynamicSettings(): DynamicSettings | null {
  const { DYNAMIC_ENVIRONMENT_ID: environmentId, DYNAMIC_API_BASE_URL: apiBaseUrl } = process.env;
  return environmentId ? { environmentId, apiBaseUrl } : null;
}
