"""One Python package on one case in a fresh process: python bench/peers.py <folder> <case> <peer> <budget> <threads>

Reads what bench/peers.R exports (raw columns), writes <folder>/result.txt with the same keys as bench/worker.R; of GPBoost
also theta, its standard deviations over that of the residuals, with names as ferrite has them.
`python bench/peers.py --installed` prints the peers that can be imported, with their versions.
The model matrix is given ready-made; the call is timed from arrays to the fitted model.
"""

import importlib.metadata
import os
import sys
import time
import warnings

PACKAGES = {"gpboost": "gpboost", "mixedlm-rs": "mixedlm_rs", "statsmodels": "statsmodels"}


def installed():
    for name, module in PACKAGES.items():
        try:
            __import__(module)
            print(f"{name}={importlib.metadata.version(name)}")
        except Exception:
            pass


def read(folder):
    import numpy as np

    with open(os.path.join(folder, "case.txt")) as file:
        facts = dict(line.rstrip("\n").split("=", 1) for line in file)
    n, p = int(facts["n"]), int(facts["p"])

    def column(name, kind):
        return np.fromfile(os.path.join(folder, name + ".bin"), dtype=kind)

    return {
        "names": facts["groups"].split(","),
        "slope_names": [s for s in facts["slopes"].split(",") if s],
        "y": column("y", "f8"),
        "x": column("x", "f8").reshape((n, p), order="F"),
        "groups": [column("g_" + g, "i4") for g in facts["groups"].split(",") if g],
        "slopes": [column("s_" + s, "f8") for s in facts["slopes"].split(",") if s],
    }


def fit_gpboost(data, threads):
    import gpboost
    import numpy as np

    more = {}
    if data["slopes"]:
        more = {
            "group_rand_coef_data": np.column_stack(data["slopes"]),
            "ind_effect_group_rand_coef": [1] * len(data["slopes"]),
        }
    groups = data["groups"][0] if len(data["groups"]) == 1 else np.column_stack(data["groups"])
    model = gpboost.GPModel(group_data=groups, likelihood="gaussian", num_parallel_threads=threads, **more)
    model.fit(y=data["y"], X=data["x"])
    error, *variances = np.ravel(model.get_cov_pars(format_pandas=False))
    names = [g + ".(Intercept)" for g in data["names"]] + [data["names"][0] + "." + s for s in data["slope_names"]]
    theta = " ".join(f"{name}={np.sqrt(v / error):.12g}" for name, v in zip(names, variances))
    return 2 * model.get_current_neg_log_likelihood(), theta


def fit_mixed(module):
    def fit(data, threads):
        import numpy as np

        z = np.column_stack([np.ones(len(data["y"]))] + data["slopes"])
        model = module.MixedLM(data["y"], data["x"], groups=data["groups"][0], exog_re=z)
        return -2 * model.fit(reml=True).llf, ""

    return fit


def status(field):
    try:
        with open("/proc/self/status") as file:
            line = next(line for line in file if line.startswith(field + ":"))
        return float(line.split()[1]) / 1024
    except OSError:
        return float("nan")


def main(folder, _case, peer, budget, threads):
    budget, threads = float(budget), int(threads)
    warnings.simplefilter("ignore")
    if peer == "gpboost":
        import gpboost  # noqa: F401

        fit = fit_gpboost
    elif peer == "mixedlm-rs":
        import mixedlm_rs

        fit = fit_mixed(mixedlm_rs)
    else:
        import statsmodels.regression.mixed_linear_model as module

        fit = fit_mixed(module)
    data = read(folder)
    before = status("VmRSS")
    try:
        with open("/proc/self/clear_refs", "w") as file:
            file.write("5")
    except OSError:
        pass
    begin = time.perf_counter()
    criterion, theta = fit(data, threads)
    first = time.perf_counter() - begin
    peak = status("VmHWM") - before
    most, times, spent, last = 7, [], first, first
    warm = 4 if first < 1 else 0
    while len(times) < most and spent + max([last] + times) < budget:
        begin = time.perf_counter()
        fit(data, threads)
        last = time.perf_counter() - begin
        spent += last
        if warm:
            warm -= 1
            most = 300 if last < 0.02 else 21 if last < 0.3 else 7
        else:
            times.append(last)
    facts = {
        "criterion": f"{criterion:.10f}",
        "theta": theta,
        "evaluations": "NA",
        "version": importlib.metadata.version(peer),
        "first": first,
        "memory": peak,
        "times": " ".join(f"{t:.6g}" for t in times or [last]),
    }
    with open(os.path.join(folder, "result.txt"), "w") as file:
        file.writelines(f"{key}={value}\n" for key, value in facts.items())


if __name__ == "__main__":
    if sys.argv[1:] == ["--installed"]:
        installed()
    else:
        main(*sys.argv[1:])
