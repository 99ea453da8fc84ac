// What an account still owes before its sign-in counts. Dynamic says so in the scope of the session.

const STEPS = {
  requiresAdditionalAuth: {
    title: "A second factor is needed",
    lead: "Your account is protected by a second factor, which this page cannot ask for.",
  },
  "device:register": {
    title: "This device is not known yet",
    lead: "Your account asks that every new device is confirmed, which cannot be done on this page.",
  },
  userDataForm: {
    title: "Your profile is not complete",
    lead: "A detail of your profile is missing, and this page cannot ask for it.",
  },
};

/** The step, or null if the sign-in is complete. */
export function owedBy(user) {
  const scope = String(user.scope ?? "").split(" ");
  const word = Object.keys(STEPS).find((one) => scope.includes(one)) ?? (user.missingFields?.some((one) => one.required) ? "userDataForm" : null);
  return word === null ? null : STEPS[word];
}
