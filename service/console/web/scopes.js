/** What a key may do, where it is not one of the API's own scopes. */

/** In place of a scope: what only a secret key may. */
export const SECRET = "a secret key";
