# Reference fits: criterion (minus twice the log-likelihood, or the REML criterion) and estimates of many models.
#
# Source: the likelihood from its definition, dense and in blocks, with Newton steps on its analytic gradient (40-digit
# arithmetic agrees to 2.5e-12 in the criterion), checked against lme4 1.1-31 with bobyqa at rhoend 1e-12. No figure is
# that of one program alone. Fields: data (a name of reference_data()), formula, REML, weights, criterion, beta, se,
# sigma, theta, varcov (matrices by rows, term after term), singular.

reference_fits <- list(
  alfalfa_reml = list(
    data = "Alfalfa", REML = TRUE, singular = FALSE,
    formula = Yield ~ Date * Variety + (1 | Block) + (1 | Block:Variety),
    criterion = 9.95636826900981, sigma = 0.167235418453105,
    beta = c(1.765, -0.463333333333333, -0.188333333333333, -0.121666666666667, 0.11, -0.0616666666666666, -0.105,
      -0.0233333333333332, 0.0666666666666667, 0.173333333333333, -0.0316666666666666, 0.0283333333333334),
    se = c(0.137140607758229, 0.09655341386194, 0.0965534138619399, 0.0965534138619399, 0.135443031621471,
      0.135443031621471, 0.136547147376978, 0.136547147376978, 0.136547147376978, 0.136547147376978,
      0.136547147376978, 0.136547147376978),
    theta = c(0.983761605733197, 1.43772675151567),
    varcov = c(0.0270667592592592, 0.0578108333333334)
  ),
  assay_reml = list(
    data = "Assay", REML = TRUE, singular = FALSE,
    formula = logDens ~ sample * dilut + (1 | Block) + (1 | Block:sample) + (1 | Block:dilut),
    criterion = -77.0725526365401, sigma = 0.0415661171140171,
    beta = c(-0.18279154, 0.0807532950000001, 0.133976305, 0.207698745, -0.0236723999999998, 0.0735692400000001,
      0.20442903, 0.405863085, 0.57319105, 0.720635465, 0.00893893000000001, -0.00849527499999994,
      0.00107929499999996, -0.0419175250000001, 0.0193521049999999, -0.0250660450000001, 0.0186450999999999,
      0.00398857500000003, -0.0277128150000002, 0.0543160349999997, 0.0607885999999994, 0.00525975500000017,
      -0.0164855100000001, 0.0497987549999996, 0.0633718999999996, -0.0457624550000002, -0.072598205, -0.17775661,
      0.0136109299999996, 0.00402339999999986),
    se = c(0.0356845350639105, 0.0486547225567249, 0.0486547225567249, 0.0486547225567249, 0.0486547225567249,
      0.0486547225567249, 0.0425560900681169, 0.0425560900681169, 0.0425560900681168, 0.0425560900681169,
      0.0587833665578314, 0.0587833665578315, 0.0587833665578315, 0.0587833665578315, 0.0587833665578315,
      0.0587833665578315, 0.0587833665578315, 0.0587833665578315, 0.0587833665578315, 0.0587833665578315,
      0.0587833665578314, 0.0587833665578315, 0.0587833665578314, 0.0587833665578315, 0.0587833665578315,
      0.0587833665578315, 0.0587833665578315, 0.0587833665578314, 0.0587833665578315, 0.0587833665578315),
    theta = c(0.60840724542602, 0.219547015429311, 0.235979183339121),
    varcov = c(0.000639539935135684, 8.32787099494846e-05, 9.62113484335528e-05)
  ),
  bdf_reml = list(
    data = "bdf", REML = TRUE, singular = FALSE,
    formula = langPOST ~ IQ.ver.cen + avg.IQ.ver.cen + (IQ.ver.cen | schoolNR),
    criterion = 15217.8730488827, sigma = 6.43037183640918,
    beta = c(40.7495796675477, 2.45982806168454, 1.40892310694298),
    se = c(0.288081202083365, 0.0836383332979988, 0.323742481590919),
    theta = c(0.441928612580208, -0.0455324859813086, 0.0543811270494754),
    varcov = c(8.07563004324073, -0.832042780817584, -0.832042780817584, 0.208010164669261)
  ),
  bodyweight_reml = list(
    data = "BodyWeight", REML = TRUE, singular = FALSE,
    formula = weight ~ Time * Diet + (Time | Rat),
    criterion = 1151.71974881999, sigma = 4.44360524042107,
    beta = c(251.651651561476, 0.359639113343525, 200.665486459926, 252.071677768072, 0.605839157021185,
      0.298337519108976),
    se = c(13.094024847174, 0.0911397412431769, 22.6795163108747, 22.6795163108747, 0.157858662421863,
      0.157858662421863),
    theta = c(8.31286090381767, -0.00833367662636361, 0.0552784472964736),
    varcov = c(1364.49506054474, -1.36791180851204, -1.36791180851204, 0.0617081841606634)
  ),
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
  earthquake_reml = list(
    data = "Earthquake", REML = TRUE, singular = FALSE,
    formula = log(accel) ~ log(distance) + Richter + soil + (1 | Quake),
    criterion = 389.207833384814, sigma = 0.665090523156628,
    beta = c(-1.86652896151725, -0.874944080255975, 0.339195582789156, 0.0662616735609493),
    se = c(0.646305389541214, 0.0544977956955928, 0.110220584060161, 0.144458577455679),
    theta = c(0.351444727683172),
    varcov = c(0.0546355833247543)
  ),
  ergostool_ml = list(
    data = "ergoStool", REML = FALSE, singular = FALSE,
    formula = effort ~ Type + (1 | Subject),
    criterion = 122.144437408106, sigma = 1.03736767216007,
    beta = c(8.55555555555556, 3.88888888888889, 2.22222222222222, 0.666666666666668),
    se = c(0.543069566615377, 0.489019810378725, 0.489019810378725, 0.489019810378725),
    theta = c(1.21100751316444),
    varcov = c(1.57818930041152)
  ),
  ergostool_reml = list(
    data = "ergoStool", REML = TRUE, singular = FALSE,
    formula = effort ~ Type + (1 | Subject),
    criterion = 121.130788701999, sigma = 1.10029457335213,
    beta = c(8.55555555555556, 3.88888888888889, 2.22222222222222, 0.666666666666666),
    se = c(0.576012259814659, 0.518683836080034, 0.518683836080034, 0.518683836080034),
    theta = c(1.21100751316444),
    varcov = c(1.77546296296297)
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
  igf_reml = list(
    data = "IGF", REML = TRUE, singular = FALSE,
    formula = conc ~ age + (1 | Lot),
    criterion = 596.871084530811, sigma = 0.829997984733781,
    beta = c(5.35443495824721, -0.000817263719506943),
    se = c(0.106199814839021, 0.00396984138001722),
    theta = c(0.0861918614167989),
    varcov = c(0.00511783871908932)
  ),
  machines_int_reml = list(
    data = "Machines", REML = TRUE, singular = FALSE,
    formula = score ~ Machine + (1 | Worker),
    criterion = 286.878201977719, sigma = 3.1616474333413,
    beta = c(52.3555555555556, 7.96666666666667, 13.9166666666667),
    se = c(2.22931242092758, 1.05388247778043, 1.05388247778043),
    theta = c(1.62780708350342),
    varcov = c(26.4869983896941)
  ),
  machines_nested_reml = list(
    data = "Machines", REML = TRUE, singular = FALSE,
    formula = score ~ Machine + (1 | Worker) + (1 | Worker:Machine),
    criterion = 215.687568008221, sigma = 0.961576637418789,
    beta = c(52.3555555555556, 7.96666666666666, 13.9166666666667),
    se = c(2.48583021380219, 2.17697547579714, 2.17697547579714),
    theta = c(3.87856596138533, 4.97209517432962),
    varcov = c(13.9094567901234, 22.8584444444446)
  ),
  mathach_slope_ml = list(
    data = "MathAchieve", REML = FALSE, singular = FALSE,
    formula = MathAch ~ SES + MEANSES + (SES | School),
    criterion = 46556.9193809509, sigma = 6.06605552913094,
    beta = c(12.6517156137153, 2.19024697558089, 3.77790400553791),
    se = c(0.149596548539299, 0.121395293530621, 0.380180644623182),
    theta = c(0.268291372590933, -0.0237644269920825, 0.106322853934634),
    varcov = c(2.64865978609982, -0.234610160981975, -0.234610160981975, 0.436754883552323)
  ),
  meat_reml = list(
    data = "Meat", REML = TRUE, singular = FALSE,
    formula = score ~ Storage + (1 | Block) + (1 | Pair),
    criterion = 145.147753382247, sigma = 2.71737338608907,
    beta = c(14.3633561762603, 9.0956200463843, 12.3617519814463, 13.7235039628926, 16.777667601095, 15.6613193506198),
    se = c(2.04661225447913, 2.02073224230936, 2.02073224230936, 2.02073224230936, 2.02073224230936, 2.02073224230936),
    theta = c(1.05903945536936, 1.06941507326436),
    varcov = c(8.28176524888846, 8.44483634157739)
  ),
  milk_reml = list(
    data = "Milk", REML = TRUE, singular = FALSE,
    formula = protein ~ Diet * Time + (1 | Cow),
    criterion = 518.141471075922, sigma = 0.273052019869042,
    beta = c(3.55029268806624, -0.0815983017653356, -0.123676997118758, -0.0026328323294874, -0.00160519437030068,
      -0.00891310706315102),
    se = c(0.0429598456703174, 0.0595924841477941, 0.0596563614402984, 0.00260674630309997, 0.00362261991157655,
      0.00363820954814316),
    theta = c(0.608360665036179),
    varcov = c(0.0275938970085311)
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
  oats_fac_reml = list(
    data = "Oats", REML = TRUE, singular = FALSE,
    formula = yield ~ factor(nitro) * Variety + (1 | Block) + (1 | Block:Variety),
    criterion = 529.028507006697, sigma = 13.3072661855594,
    beta = c(80.0, 18.5, 34.6666666666667, 44.8333333333334, 6.66666666666668, -8.49999999999998, 3.33333333333333,
      -4.16666666666667, -4.66666666666667, -0.333333333333331, 4.66666666666666, 2.16666666666666),
    se = c(9.10697738204271, 7.68295371441074, 7.68295371441073, 7.68295371441074, 9.71502511386168, 9.71502511386168,
      10.8653373420044, 10.8653373420044, 10.8653373420044, 10.8653373420044, 10.8653373420044, 10.8653373420044),
    theta = c(0.773910366193632, 1.10052928442743),
    varcov = c(106.061805555556, 214.477083333335)
  ),
  oats_reml = list(
    data = "Oats", REML = TRUE, singular = FALSE,
    formula = yield ~ nitro + Variety + (1 | Block / Variety),
    criterion = 578.891786957029, sigma = 12.8669534298542,
    beta = c(82.3999999999999, 73.6666666666667, 5.29166666666666, -6.87500000000002),
    se = c(8.05857199722888, 6.78147989760916, 7.07890384379034, 7.07890384379034),
    theta = c(0.811192578121911, 1.13818987631519),
    varcov = c(108.94301624738, 214.477083333335)
  ),
  orthodont_sexuncor_reml = list(
    data = "Orthodont", REML = TRUE, singular = FALSE,
    formula = distance ~ age + Sex + (age || Subject),
    criterion = 436.645305889716, sigma = 1.40259063168157,
    beta = c(17.5806927587415, 0.660185185185184, -2.01170040781987),
    se = c(0.797067489972487, 0.0633505920695116, 0.759758468136708),
    theta = c(1.05097827218706, 0.0712824115106907),
    varcov = c(2.17294804603586, 0.00999600891601138)
  ),
  orthodont_slope_reml = list(
    data = "Orthodont", REML = TRUE, singular = FALSE,
    formula = distance ~ age * Sex + (age | Subject),
    criterion = 432.581661502608, sigma = 1.31003958096834,
    beta = c(16.340625, 0.784375, 1.03210227272727, -0.304829545454545),
    se = c(1.01853192381464, 0.0859995127496768, 1.5957328483233, 0.134735342335163),
    theta = c(1.83620452120034, -0.091907173419677, 0.102491355265216),
    varcov = c(5.7864331439394, -0.289627167508417, -0.289627167508417, 0.0325244739057239)
  ),
  orthodont_slopec_ml = list(
    data = "Orthodont", REML = FALSE, singular = FALSE,
    formula = distance ~ I(age - 11) * Sex + (I(age - 11) | Subject),
    criterion = 427.805950799718, sigma = 1.31003958096834,
    beta = c(24.96875, 0.784374999999999, -2.32102272727273, -0.304829545454545),
    se = c(0.467654443645751, 0.0827530697270043, 0.732673704124065, 0.129649143610938),
    theta = c(1.33750705768685, 0.0274869462466556, 0.114404382034581),
    varcov = c(3.07015993265995, 0.0630944865319863, 0.0630944865319863, 0.0237589436026936)
  ),
  ovary_reml = list(
    data = "Ovary", REML = TRUE, singular = FALSE,
    formula = follicles ~ sin(2 * pi * Time) + cos(2 * pi * Time) + (1 | Mare),
    criterion = 1659.36030030976, sigma = 3.40046565010723,
    beta = c(12.1822443759606, -3.33961167357611, -0.862421609932178),
    se = c(0.939000925424718, 0.28940128142792, 0.271598668102206),
    theta = c(0.894390466649399),
    varcov = c(9.24977368901417)
  ),
  oxboys_reml = list(
    data = "Oxboys", REML = TRUE, singular = FALSE,
    formula = height ~ age + I(age^2) + (age | Subject),
    criterion = 681.027224758632, sigma = 0.583535129267767,
    beta = c(149.061412700366, 6.51679669383451, 0.741904490502714),
    se = c(1.5860714633308, 0.336320582836868, 0.103128121401817),
    theta = c(13.850193180008, 1.8476605129211, 2.22641471806812),
    varcov = c(65.3199244682869, 8.71388893847709, 8.71388893847709, 2.85035870936344)
  ),
  oxide_reml = list(
    data = "Oxide", REML = TRUE, singular = FALSE,
    formula = Thickness ~ 1 + (1 | Lot / Wafer),
    criterion = 454.022069310996, sigma = 3.54534123103044,
    beta = c(2000.15277777778),
    se = c(4.23171122007254),
    theta = c(1.68920306599249, 3.21483396378649),
    varcov = c(35.8657407407414, 129.907186948851)
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
  pixel_reml = list(
    data = "Pixel", REML = TRUE, singular = FALSE,
    formula = pixel ~ day + I(day^2) + (day | Dog) + (1 | Dog:Side),
    criterion = 825.210193536483, sigma = 8.98960939388139,
    beta = c(1073.33913774236, 6.12959699155771, -0.367350273310891),
    se = c(10.1716905132039, 0.879321032046485, 0.0339454360662013),
    theta = c(1.87152081917966, 3.15585897065637, -0.113772125052183, 0.170648869785646),
    varcov = c(283.055089833975, 804.853464304599, -29.015836842196, -29.015836842196, 3.39941285044097)
  ),
  rail_ml = list(
    data = "Rail", REML = FALSE, singular = FALSE,
    formula = travel ~ 1 + (1 | Rail),
    criterion = 128.560036938435, sigma = 4.02077936060494,
    beta = c(66.5),
    se = c(9.28484428158779),
    theta = c(5.62685631836209),
    varcov = c(511.861111111111)
  ),
  rail_reml = list(
    data = "Rail", REML = TRUE, singular = FALSE,
    formula = travel ~ 1 + (1 | Rail),
    criterion = 122.177000808598, sigma = 4.02077936060494,
    beta = c(66.5),
    se = c(10.1710373118969),
    theta = c(6.16931771751596),
    varcov = c(615.31111111111)
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
  ),
  wafer_reml = list(
    data = "Wafer", REML = TRUE, singular = TRUE,
    formula = current ~ voltage + I(voltage^2) + (voltage | Wafer) + (1 | Wafer:Site),
    criterion = -243.147750399124, sigma = 0.127113852834702,
    beta = c(-4.46116574999999, 5.90337092857143, 1.17040267857143),
    se = c(0.0625088771609013, 0.101972639896845, 0.0237390802423058),
    theta = c(1.72408845928844, 0.267712566781384, -1.66911220323745, 0.0),
    varcov = c(0.0480291448778944, 0.00115803925402728, -0.00722004750827909, -0.00722004750827909,
      0.0450149559615696)
  )
)
