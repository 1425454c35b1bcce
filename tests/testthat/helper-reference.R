# Reference fits: criterion (minus twice the log-likelihood, or the REML criterion) and estimates of many models.
#
# Source: the likelihood from its definition, dense and in blocks, with Newton steps on its analytic gradient (40-digit
# arithmetic agrees to 2.5e-12 in the criterion), checked against lme4 1.1-31 with bobyqa at rhoend 1e-12. No figure is
# that of one program alone. Fields: data (a name of reference_data()), formula, REML, weights, criterion, beta, se,
# sigma, theta, varcov (matrices by rows, term after term), singular.

reference_fits <- c(reference_fits_nlme, list(
  cake_3way_ml = list(
    data = "cake", REML = FALSE, singular = FALSE,
    formula = angle ~ recipe + temp + (temp || recipe:replicate),
    criterion = 1693.50399510616, sigma = 4.50881179229338,
    beta = c(1.57746662214526, -1.63266758178567, -1.55211323703078, 0.158031746031746),
    se = c(3.49753134265546, 2.29924075698345, 2.29924075698344, 0.0166727144514331),
    theta = c(0.391452004481372, 0.00662504912543751),
    varcov = c(3.1151664514215, 0.000892282592585367)
  ),
  chick_reml = list(
    data = "ChickWeight", REML = TRUE, singular = FALSE,
    formula = weight ~ Diet * Time + (Time | Chick),
    criterion = 4781.52056682268, sigma = 12.7816899660595,
    beta = c(33.661270983705, -5.02767546109122, -15.4109457681552, -1.7504488121247, 6.27699475402418,
      2.33214153398065, 5.14587621859721, 3.2549759887672),
    se = c(2.9192168165609, 5.01080172098352, 5.0108017209835, 5.01788951744083, 0.761342394060656, 1.30438129765407,
      1.30438129765407, 1.30510403503197),
    theta = c(0.845930401404915, -0.252080566500084, 0.0574790292481372),
    varcov = c(116.908428929703, -34.8377868253585, -34.8377868253585, 10.9211382586733)
  ),
  dyestuff2_reml_singular = list(
    data = "Dyestuff2", REML = TRUE, singular = TRUE,
    formula = Yield ~ 1 + (1 | Batch),
    criterion = 161.828277812288, sigma = 3.71568427447573,
    beta = c(5.6656),
    se = c(0.678388031232524),
    theta = c(0.0),
    varcov = c(0.0)
  ),
  dyestuff_ml = list(
    data = "Dyestuff", REML = FALSE, singular = FALSE,
    formula = Yield ~ 1 + (1 | Batch),
    criterion = 327.327059881135, sigma = 49.5100999797011,
    beta = c(1527.5),
    se = c(17.6945534620748),
    theta = c(0.752580692320212),
    varcov = c(1388.33333333333)
  ),
  dyestuff_reml = list(
    data = "Dyestuff", REML = TRUE, singular = FALSE,
    formula = Yield ~ 1 + (1 | Batch),
    criterion = 319.654276842257, sigma = 49.5100999797011,
    beta = c(1527.5),
    se = c(19.383412152319),
    theta = c(0.848323781432422),
    varcov = c(1764.05)
  ),
  estrone_ml = list(
    data = "estrone", REML = FALSE, singular = FALSE,
    formula = y ~ 1 + (1 | person),
    criterion = 158.437330660095, sigma = 0.570469765704572,
    beta = c(14.1751155954421),
    se = c(0.53212855489032),
    theta = c(2.07074550260214),
    varcov = c(1.39546426004936)
  ),
  estrone_raw_reml = list(
    data = "estrone", REML = TRUE, singular = FALSE,
    formula = estrone ~ 1 + (1 | person),
    criterion = 446.431442115236, sigma = 3.55773804544404,
    beta = c(27.3125),
    se = c(3.47305476130161),
    theta = c(2.16848038486349),
    varcov = c(59.5194531249987)
  ),
  estrone_reml = list(
    data = "estrone", REML = TRUE, singular = FALSE,
    formula = y ~ 1 + (1 | person),
    criterion = 157.753768147545, sigma = 0.570469765704572,
    beta = c(14.1751155954421),
    se = c(0.594937810751747),
    theta = c(2.31853588945349),
    varcov = c(1.74941525871147)
  ),
  npk_reml = list(
    data = "npk", REML = TRUE, singular = FALSE,
    formula = yield ~ N * P * K + (1 | block),
    criterion = 104.391897227527, sigma = 3.92944723282494,
    beta = c(51.4333333333333, 12.3333333333333, 2.9, 0.566666666666659, -8.73333333333332, -9.66666666666665,
      -4.39999999999999, 9.9333333333333),
    se = c(3.2001953065399, 4.52575960475145, 4.52575960475146, 4.52575960475146, 7.83215121103984, 7.83215121103983,
      7.83215121103984, 14.2897010310068),
    theta = c(0.994891242747406),
    varcov = c(15.2831944444445)
  ),
  pastes_nested_ml = list(
    data = "Pastes", REML = FALSE, singular = FALSE,
    formula = strength ~ 1 + (1 | batch) + (1 | sample),
    criterion = 247.994465862425, sigma = 0.823407554009555,
    beta = c(60.0533333333333),
    se = c(0.642135326685721),
    theta = c(3.52690181058592, 1.32991203135542),
    varcov = c(8.43366666666665, 1.19915555555556)
  ),
  pastes_nested_reml = list(
    data = "Pastes", REML = TRUE, singular = FALSE,
    formula = strength ~ 1 + (1 | batch / cask),
    criterion = 246.990745853486, sigma = 0.823407554009558,
    beta = c(60.0533333333333),
    se = c(0.676870066127725),
    theta = c(3.52690181058592, 1.5634602734039),
    varcov = c(8.43366666666667, 1.65730864197528)
  ),
  pastes_sample_reml = list(
    data = "Pastes", REML = TRUE, singular = FALSE,
    formula = strength ~ 1 + (1 | sample),
    criterion = 247.64840178036, sigma = 0.823407554009555,
    beta = c(60.0533333333333),
    se = c(0.586392307842897),
    theta = c(3.83599589991037),
    varcov = c(9.97667816091957)
  ),
  penicillin_ml = list(
    data = "Penicillin", REML = FALSE, singular = FALSE,
    formula = diameter ~ 1 + (1 | plate) + (1 | sample),
    criterion = 332.188348668501, sigma = 0.549932196434028,
    beta = c(22.9722222222222),
    se = c(0.744595794926922),
    theta = c(1.53759353477208, 3.2197537998041),
    varcov = c(0.714992328163123, 3.13518824570157)
  ),
  penicillin_reml = list(
    data = "Penicillin", REML = TRUE, singular = FALSE,
    formula = diameter ~ 1 + (1 | plate) + (1 | sample),
    criterion = 330.860588991086, sigma = 0.549923139117819,
    beta = c(22.9722222222222),
    se = c(0.808573390985523),
    theta = c(1.53967757298533, 3.5124152235857),
    varcov = c(0.716908212560387, 3.73091787439648)
  ),
  sleep_factorslope_reml = list(
    data = "sleepstudy_x", REML = TRUE, singular = FALSE,
    formula = Reaction ~ Days + (half | Subject),
    criterion = 1749.70351364071, sigma = 26.0739080716633,
    beta = c(250.990481515256, 10.0422119089281),
    se = c(7.17979857521294, 1.06935433973796),
    theta = c(1.08033547588144, 0.463378231701316, 1.14195678650309),
    varcov = c(793.468216674344, 340.334930549023, 340.334930549023, 1032.54376847684)
  ),
  sleep_ia_reml = list(
    data = "sleepstudy_x", REML = TRUE, singular = FALSE,
    formula = Reaction ~ Days * half + (1 | Subject),
    criterion = 1774.88767622477, sigma = 31.0833459127564,
    beta = c(255.131881111111, 8.24914888888891, -6.12802499999998, 2.66252944444444),
    se = c(10.4278243253258, 2.31681581430212, 17.491575814998, 3.27647234610652),
    theta = c(1.19408396368175),
    varcov = c(1377.60672699817)
  ),
  sleep_int_reml = list(
    data = "sleepstudy", REML = TRUE, singular = FALSE,
    formula = Reaction ~ Days + (1 | Subject),
    criterion = 1786.46508539492, sigma = 30.991233904586,
    beta = c(251.405104848485, 10.467285959596),
    se = c(9.74671625420914, 0.804221429099433),
    theta = c(1.19788153025662),
    varcov = c(1378.1785084185)
  ),
  sleep_na_reml = list(
    data = "sleepstudy_na", REML = TRUE, singular = FALSE,
    formula = Reaction ~ Days + (Days | Subject),
    criterion = 1686.51813784007, sigma = 25.5503814889675,
    beta = c(251.752880147817, 10.3945310106083),
    se = c(7.03696136012805, 1.5506021140105),
    theta = c(0.998443649300463, 0.0108205715823571, 0.230730851178828),
    varcov = c(650.791535580371, 7.0529132023357, 7.0529132023357, 34.8305409411465)
  ),
  sleep_offset_reml = list(
    data = "sleepstudy_x", REML = TRUE, singular = FALSE,
    formula = Reaction ~ Days + offset(off) + (1 | Subject),
    criterion = 1786.46508539492, sigma = 30.991233904586,
    beta = c(251.405104848485, 5.46728595959596),
    se = c(9.74671625420915, 0.804221429099433),
    theta = c(1.19788153025662),
    varcov = c(1378.1785084185)
  ),
  sleep_poly_reml = list(
    data = "sleepstudy", REML = TRUE, singular = FALSE,
    formula = Reaction ~ poly(Days, 2) + (1 | Subject),
    criterion = 1769.33263393453, sigma = 30.9792275569445,
    beta = c(298.507891666667, 403.364167855218, 32.8557879762133),
    se = c(9.04993605352295, 30.9792275569445, 30.9792275569445),
    theta = c(1.19837812988297),
    varcov = c(1378.25291230889)
  ),
  sleep_rankdef_reml = list(
    data = "sleepstudy_x", REML = TRUE, singular = FALSE,
    formula = Reaction ~ Days + Days2 + (1 | Subject),
    criterion = 1786.46508539492, sigma = 30.991233904586,
    beta = c(251.405104848485, 10.467285959596),
    se = c(9.74671625420914, 0.804221429099433),
    theta = c(1.19788153025662),
    varcov = c(1378.1785084185)
  ),
  sleep_slope_ml = list(
    data = "sleepstudy", REML = FALSE, singular = FALSE,
    formula = Reaction ~ Days + (Days | Subject),
    criterion = 1751.9393444632, sigma = 25.5918156267252,
    beta = c(251.405104848485, 10.467285959596),
    se = c(6.6322768070245, 1.50223678231343),
    theta = c(0.929225473723696, 0.0181657066700356, 0.222645422566727),
    varcov = c(565.515366803119, 11.0554290225988, 11.0554290225988, 32.6821971864094)
  ),
  sleep_slope_reml = list(
    data = "sleepstudy", REML = TRUE, singular = FALSE,
    formula = Reaction ~ Days + (Days | Subject),
    criterion = 1743.62827195849, sigma = 25.5918156267253,
    beta = c(251.405104848485, 10.4672859595959),
    se = c(6.82455653206908, 1.54578889629473),
    theta = c(0.966732951864804, 0.0151690542704839, 0.230909594760483),
    varcov = c(612.089938662526, 9.60433331674358, 9.60433331674358, 35.0716604983174)
  ),
  sleep_slopeonly_reml = list(
    data = "sleepstudy", REML = TRUE, singular = FALSE,
    formula = Reaction ~ Days + (0 + Days | Subject),
    criterion = 1766.52502748557, sigma = 29.0177471283114,
    beta = c(251.405104848485, 10.467285959596),
    se = c(4.01997076722496, 1.86955782808366),
    theta = c(0.250192706351468),
    varcov = c(52.7080165252421)
  ),
  sleep_uncor_reml = list(
    data = "sleepstudy", REML = TRUE, singular = FALSE,
    formula = Reaction ~ Days + (Days || Subject),
    criterion = 1743.66929358131, sigma = 25.56528535418,
    beta = c(251.405104848485, 10.467285959596),
    se = c(6.88538129486977, 1.55956594430001),
    theta = c(0.979896299676015, 0.234230578211774),
    varcov = c(627.569060552957, 35.8581987596437)
  ),
  sleep_weights_reml = list(
    data = "sleepstudy_x", REML = TRUE, singular = FALSE, weights = "w",
    formula = Reaction ~ Days + (Days | Subject),
    criterion = 1740.66460356502, sigma = 32.1707636446263,
    beta = c(250.58824103357, 10.6237188470528),
    se = c(6.79284537873373, 1.64021238034194),
    theta = c(0.780660847877702, -0.00288995712968603, 0.199624588828975),
    varcov = c(630.735881274149, -2.33494437692434, -2.33494437692434, 41.2516970930598)
  )
))
