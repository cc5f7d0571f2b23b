// SPDX-License-Identifier: Apache-2.0
#include "models/moses/moses_prefixes.h"

namespace heed {
namespace {

// The lists of sacremoses 0.2.0, which has them from Moses, without repetitions.
constexpr MosesPrefixes kPrefixes[] = {
    {"de",
     "A B C D E F G H I J K L M N O P Q R S T U V W X Y Z a b c d e f g h i j k l m n o p q r s t u v w x y z II III "
     "IV VI VII VIII IX XI XII XIII XIV XV XVI XVII XVIII XIX XX ii iii iv vi vii viii ix xi xii xiii xiv xv xvi "
     "xvii xviii xix xx Adj Adm Adv Asst Bart Bldg Brig Bros Capt Cmdr Col Comdr Con Corp Cpl DR Dr Ens Gen Gov Hon "
     "Hosp Insp Lt MM MR MRS MS Maj Messrs Mlle Mme Mr Mrs Ms Msgr Op Ord Pfc Ph Prof Pvt Rep Reps Res Rev Rt Sen "
     "Sens Sfc Sgt Sr St Supt Surg Mio Mrd bzw vs usw d.h z.B u.a etc MwSt ggf d.J D.h m.E vgl I.F z.T sogen ff u.E "
     "g.U g.g.A c.-à-d Buchst u.s.w sog u.ä Std evtl Zt Chr u.U o.ä Ltd b.A z.Zt spp sen SA k.o jun i.H.v dgl dergl "
     "Co zzt usf s.p.a Dkr bzgl BSE No Nos Art Nr pp ca Ca 1 2 3 4 5 6 7 8 9 10 11 12 13 14 15 16 17 18 19 20 21 22 "
     "23 24 25 26 27 28 29 30 31 32 33 34 35 36 37 38 39 40 41 42 43 44 45 46 47 48 49 50 51 52 53 54 55 56 57 58 59 "
     "60 61 62 63 64 65 66 67 68 69 70 71 72 73 74 75 76 77 78 79 80 81 82 83 84 85 86 87 88 89 90 91 92 93 94 95 96 "
     "97 98 99",
     ""},
    {"en",
     "A B C D E F G H I J K L M N O P Q R S T U V W X Y Z Adj Adm Adv Asst Bart Bldg Brig Bros Capt Cmdr Col Comdr "
     "Con Corp Cpl DR Dr Drs Ens Gen Gov Hon Hr Hosp Insp Lt MM MR MRS MS Maj Messrs Mlle Mme Mr Mrs Ms Msgr Op Ord "
     "Pfc Ph Prof Pvt Rep Reps Res Rev Rt Sen Sens Sfc Sgt Sr St Supt Surg v vs i.e rev e.g Rs Nos Nr Jan Feb Mar "
     "Apr Jun Jul Aug Sep Oct Nov Dec",
     "No Art pp"},
    {"es",
     "A B C D E F G H I J K L M N O P Q R S T U V W X Y Z A.C Apdo Av Bco CC.AA Da Dep Dn Dr Dra EE.UU Excmo FF.CC "
     "Fil Gral J.C Let Lic N.B P.D P.V.P Prof Pts Rte S.A S.A.R S.E S.L S.R.C Sr Sra Srta Sta Sto T.V.E Tel Ud Uds "
     "V.B V.E Vd Vds a/c adj admón afmo apdo av c c.f c.g cap cm cta dcha doc ej entlo esq etc f.c gr grs izq kg km "
     "mg mm núm p p.a p.ej ptas pág págs q.e.g.e q.e.s.m s s.s.s vid vol",
     ""},
    {"fr",
     "A B C D E F G H I J K L M N O P Q R S T U V W X Y Z b c d e f g h i j k l m n o p q r s t u v w x y z A.C.N "
     "A.M art ann apr av auj lib B.P boul ca c.-à-d cf ch.-l chap contr C.P.I C.Q.F.D C.N C.N.S C.S dir éd e.g env "
     "al etc E.V ex fasc fém fig fr hab ibid id i.e inf LL.AA LL.AA.II LL.AA.RR LL.AA.SS L.D LL.EE LL.MM LL.MM.II.RR "
     "loc.cit masc MM ms N.B N.D.A N.D.L.R N.D.T n/réf NN.SS N.S N.D N.P.A.I p.c.c pl pp p.ex p.j P.S R.A.S R.-V R.P "
     "R.I.P SS S.S S.A S.A.I S.A.R S.A.S S.E sec sect sing S.M S.M.I.R sq sqq suiv sup suppl tél T.S.V.P vb vol vs "
     "X.O Z.I",
     ""},
    {"it",
     "A B C D E F G H I J K L M N O P Q R S T U V W X Y Z Adj Adm Adv Amn Arch Asst Avv Bart Bcc Bldg Brig Bros "
     "C.A.P C.P Capt Cc Cmdr Co Col Comdr Con Corp Cpl DR Dott Dr Drs Egr Ens Gen Geom Gov Hon Hosp Hr Id Ing Insp "
     "Lt MM MR MRS MS Maj Messrs Mlle Mme Mo Mons Mr Mrs Ms Msgr N.B Op Ord P.S P.T Pfc Ph Prof Pvt RP RSVP Rag Rep "
     "Reps Res Rev Rif Rt S.A S.B.F S.P.M S.p.A S.r.l Sen Sens Sfc Sgt Sig Sigg Soc Spett Sr St Supt Surg V.P a.c "
     "acc all banc c.a c.c.p c.m c.p c.s c.v corr dott e.p.c ecc es fatt gg int lett ogg on p.c p.c.c p.es p.f p.r "
     "p.v post racc ric s.n.c seg sgg ss tel u.s v.r v.s v vs i.e rev e.g Nos Nr",
     "No Art pp"},
    {"nl",
     "A B C D E F G H I J K L M N O P Q R S T U V W X Y Z bacc bc bgen c.i dhr dr dr.h.c drs ds eint fa Fa fam gen "
     "genm ing ir jhr jkvr jr kand kol lgen lkol Lt maj Mej mevr Mme mr Mw o.b.s plv prof ritm tint Vz Z.D Z.D.H Z.E "
     "Z.Em Z.H Z.K.H Z.K.M Z.M z.v a.g.v bijv bijz bv d.w.z e.c e.g e.k ev i.p.v i.s.m i.t.t i.v.m m.a.w m.b.t m.b.v "
     "m.h.o m.i m.i.v v.w.t Nrs nrs",
     "Nr nr"},
    {"pt",
     "A B C D E F G H I J K L M N O P Q R S T U V W X Y Z a b c d e f g h i j k l m n o q r s t u v w x y z II III "
     "IV VI VII VIII IX XI XII XIII XIV XV XVI XVII XVIII XIX XX ii iii iv vi vii viii ix xi xii xiii xiv xv xvi "
     "xvii xviii xix xx Adj Adm Adv Ca Capt Cmdr Col Comdr Con Corp Cpl DR DRA Dr Dra Dras Drs Eng Enga Engas Engos "
     "Ex Exo Exmo Fig Gen Hosp Insp Lda MM MR MRS MS Maj Mrs Ms Msgr Op Ord Pfc Ph Prof Pvt Rep Reps Res Rev Rt Sen "
     "Sens Sfc Sgt Sr Sra Sras Srs Sto Supt Surg adj adm adv art cit col con corp cpl dr dra dras drs eng enga engas "
     "engos ex exo exmo fig op prof sr sra sras srs sto vs i.e rev e.g Nos Nr",
     "No Art p pp"}};

}  // namespace

absl::Span<const MosesPrefixes> AllMosesPrefixes() { return kPrefixes; }

}  // namespace heed
