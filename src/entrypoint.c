/* What C does better than Rust: R's entry point, and asking for an interrupt, which R answers with a long jump. */
#include <Rinternals.h>
#include <R_ext/Rdynload.h>
#include <R_ext/Utils.h>

/* Defined in the static library of src/rust. */
void register_extendr_panic_hook(void);
void R_init_ferrite_extendr(void *dll);

static void probe(void *unused) {
    (void) unused;
    R_CheckUserInterrupt();
}

/* 1 if the user has asked to stop. The jump ends in R_ToplevelExec and never crosses a Rust frame. */
int ferrite_interrupted(void) {
    return R_ToplevelExec(probe, NULL) == FALSE;
}

void R_init_ferrite(DllInfo *dll) {
    register_extendr_panic_hook();
    R_init_ferrite_extendr(dll);
    R_useDynamicSymbols(dll, FALSE);
    R_forceSymbols(dll, TRUE);
}
