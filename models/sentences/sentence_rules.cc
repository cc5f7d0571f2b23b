// SPDX-License-Identifier: Apache-2.0
#include "models/sentences/sentence_rules.h"

#include <unicode/uchar.h>

#include <algorithm>
#include <vector>

#include "absl/strings/ascii.h"
#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "base/code_points.h"

namespace heed {

// Words between blanks. An abbreviation that begins with a capital here counts only where it does so in the text. One
// of several parts is written without its blanks: "z.b" stands for "z.B." and "z. B.".
struct SentenceRules::Language {
  absl::string_view codes;
  absl::string_view never_end;
  absl::string_view before_starter;
  absl::string_view before_capital;
  absl::string_view of_number;
  absl::string_view starters;
  absl::string_view conjunctions;  // between clauses
  absl::string_view speech_verbs;
  absl::string_view precede_ordinals = "";  // given: ordinals have a full stop
  absl::string_view follow_numbers = "";
};

namespace {

struct Family {
  absl::string_view codes;
  absl::string_view members;
};

constexpr Family kFamilies[] = {
    {"romance roa itc", "fr es it pt"}, {"gem gmw", "en de nl"}, {"zle sla", "ru"}, {"mul ine xx", ""}};

// In any language, also one without a table: what travels with names, numbers and citations.
constexpr absl::string_view kSharedNeverEnd = "Dr Prof Mr Mrs Ms Mme Sra Sig Hr Mt Ft St vs cf viz e.g i.e z.b p.ex";
constexpr absl::string_view kSharedBeforeStarter = "Jr Sr Inc Ltd Co Corp Ph.D al";
constexpr absl::string_view kSharedBeforeCapital = "etc";
constexpr absl::string_view kSharedOfNumber = "No Nr Fig Tab Vol p pp";
constexpr absl::string_view kMarkedNames = "yahoo jeopardy joomla kahoot wham oklahoma airplane";

// Other codes of languages that models come in; what all languages share is all that is known of them.
constexpr absl::string_view kGreek = "el ell gre";

bool HasCode(absl::string_view codes, absl::string_view code) {
  for (absl::string_view known : absl::StrSplit(codes, ' ')) {
    if (known == code) return true;
  }
  return false;
}

}  // namespace

// Compiled for Heed from grammars and style guides.
const SentenceRules::Language SentenceRules::kLanguages[] = {
    {.codes = "en eng",
     .never_end =
         "mr mrs ms mx messrs mmes dr drs Prof Profs Rev Hon Pres Gov Sen Rep Gen Col Lt Capt Cpt Cmdr Cdr Adm "
         "Maj Sgt Cpl Pvt Pfc Sra Brig Supt Insp Fr Msgr Bp Abp Amb Atty Det Cllr Mt Messrs vs v viz i.e e.g ie eg cf "
         "ca approx incl excl rs esp resp a.k.a f.k.a w.r.t c.f attn dept govt assoc",
     .before_starter =
         "sr jr esq inc ltd co corp bros plc llc St Ave Blvd Rd Hwy Sq Ln Ct Pl Dept Univ Assn Ft ph.d m.d b.a m.a "
         "b.sc "
         "m.sc d.d.s r.n u.s u.k u.n u.s.a e.u d.c l.a n.y al ed eds ibid op.cit misc intl natl ft lb lbs oz hr hrs "
         "mins secs yd yds mph gal tbsp tsp avg Mon Tue Tues Wed Thu Thur Thurs Fri Sat Sun Ala Ariz Ark Calif Colo "
         "Conn Del Fla Ga Ill Ind Kan Ky Mass Md Mich Minn Miss Mo Mont Neb Nev Okla Ore Pa Penn Tenn Tex Va Vt Wash "
         "Wis Wyo",
     .before_capital = "etc a.m p.m am pm b.c a.d b.c.e c.e",
     .of_number = "no nos nr fig figs p pp pg pgs vol vols ch chap chaps sec sect art arts par para paras col cols eq "
                  "eqs ref refs tab ver app appx fn ex exs cl reg tel ext est max min pos apt rm bldg op in c b d r n "
                  "Jan Feb Mar Apr Jun Jul Aug Sep Sept Oct Nov Dec",
     .starters =
         "the a an this that these those it he she they we you i there here his her its their our my your who what "
         "when where why how if in on at for from with by of to as after before during since although though while "
         "however moreover meanwhile but and or so yet then thus therefore also even not no yes please is are was were "
         "do does did could would should has have had one some many most all every both another other such because "
         "despite according under over between among through until once let today yesterday tomorrow now later finally "
         "nobody everybody someone everyone",
     .conjunctions = "and or but so while because although though whereas when where which who until unless since then "
                     "after before if that",
     .speech_verbs = "said asked replied cried shouted answered whispered exclaimed yelled called screamed added says "
                     "asks thought wondered muttered murmured sighed laughed continued insisted demanded remarked "
                     "observed repeated inquired explained snapped",
     .follow_numbers =
         "monday tuesday wednesday thursday friday saturday sunday january february march april june july "
         "august september october november december eastern pacific central greenwich local"},
    {.codes = "de deu ger",
     .never_end =
         "Hr Hrn Fr Frl Fa Lt dr Prof Dipl Ing ing Mag med phil jur rer nat pol theol habil mult Hon Priv Doz h.c hc "
         "z.b z.t "
         "z.zt d.h d.i d.gr i.a i.d.r i.e i.s.v i.v u.a u.u u.v.a v.a v.l.n.r m.e m.w o.g s.o s.u vgl bzw bspw ca evtl "
         "ggf ggfs sog bzgl inkl incl frdl sg rd exkl zzgl abzgl einschl resp lfd geb gest verh Gebr ehem bes insb "
         "insbes allg "
         "entspr urspr eigtl gegr hrsg Hg Hrsg verf bearb vs ebd engl dt frz lat griech ital russ amerik überarb brit "
         "österr schweiz kath evang südl nördl östl westl St cf i.b a.d z.hd betr zw verst jhrl monatl tägl",
     .before_starter =
         "Mio mio Mrd mrd Tsd Std std Sek GmbH Co Jh Jhd Jhdt chr v.chr n.chr Str *str Pl Abt jr sen Jr Sr "
         "Mo Di Mi Abs a.a.o MwSt i.r a.d m.b.h Okt mind gem span",
     .before_capital = "usw etc usf ff u.ä o.ä u.v.m u.dgl u.s.w f",
     .of_number =
         "Nr nr Nrn No Art S Bd Bde Kap Abb Tab Ziff Abschn Anm Aufl Jg H Hft Rn Rdnr Az Par Tz lit Tel Pos max "
         "min Min Fig Sp Bl Jan Feb Apr Aug Sept Sep Nov Dez",
     .starters =
         "der die das ein eine einer eines einem einen er sie es wir ihr ich du man dies diese dieser dieses jener "
         "jene "
         "in im an am auf aus bei beim mit nach von vom zu zum zur für durch gegen ohne um unter über vor hinter neben "
         "zwischen seit während wegen trotz wenn als ob weil da damit dass nachdem bevor obwohl und aber oder denn "
         "doch "
         "sondern so dann danach dort hier heute gestern morgen jetzt nun schon auch nur noch nicht kein keine ja nein "
         "wer was wann wo warum wie welche welcher welches sein seine ihre unser mein dein alle alles viele einige "
         "manche jeder jede jedes beide andere außerdem jedoch allerdings deshalb daher trotzdem später zuerst "
         "schließlich leider bitte laut gemäß ist sind war hat haben kann wird den dem mehr anders",
     .conjunctions = "und oder aber sondern denn während weil dass sodass obwohl wobei wenn als nachdem bevor damit "
                     "indem bis ob dann",
     .speech_verbs =
         "sagte fragte rief antwortete meinte schrie flüsterte erwiderte entgegnete murmelte dachte erklärte "
         "sagt fragt ruft",
     .precede_ordinals =
         "am vom zum im der die das den dem des beim ab bis seit zur jeder jeden jedem dieser dieses diesen sein "
         "seinen "
         "seinem ihr ihren ihrem mein meinen meinem unser unseren unserem ein einen einem eine einer als und oder an "
         "diese diesem bereits",
     .follow_numbers = "januar jänner februar märz april mai juni juli august september oktober november dezember "
                       "jahrhundert jahrhunderts jahrtausend klasse mal tag woche monat stock stockwerk etage platz "
                       "auflage ausgabe liga bundesliga weltkrieg semester lebensjahr geburtstag jahrestag kapitel "
                       "runde minute armee stelle position rang versuch"},
    {.codes = "fr fra fre",
     .never_end = "M MM mr mme mmes mlle mlles mgr dr drs Pr St Ste Sts Stes p.ex c.-à-d càd c.à.d cf vs env i.e e.g "
                  "r.p s.a.r s.e s.m n.d av apr Ch Th Ph resp Gal Cdt Cne Col Lt Sgt Vve",
     .before_starter = "Me j.-c s.a s.a.r.l Cie Sté al éd boul bd dépt hab env",
     .before_capital = "etc",
     .of_number =
         "p pp art arts al vol vols t chap fig figs n no nos éd tél réf ch par sect tabl ex max min approx t.p "
         "janv févr avr juil sept oct nov déc",
     .starters =
         "le la les l un une des du d ce c cet cette ces il elle ils elles on nous vous je j tu qui que qu quoi quand "
         "où "
         "comment pourquoi combien si dans en au aux à sur sous avec sans pour par chez vers depuis pendant après "
         "avant "
         "mais et ou or donc car ni puis alors ensuite enfin ainsi aussi cependant pourtant toutefois lorsque lorsqu "
         "comme quel quelle son sa ses leur leurs notre votre mon ma mes tout tous toutes chaque plusieurs certains "
         "beaucoup aujourd hier demain ici là voici voilà y ne n pas non oui selon malgré grâce est était fut",
     .conjunctions = "et ou mais donc car ni tandis pendant quand lorsque parce puis si que qui où alors comme",
     .speech_verbs = "dit demanda répondit cria murmura écria répliqua ajouta pensa reprit demande lança hurla fit"},
    {.codes = "es spa",
     .never_end =
         "sr sra srta sres sras srtas dr dra dres dras D dª Dña Dn prof profa lic ing arq abg Gral Cnel Tte Cap "
         "Sto Sta St Mons Fr Rdo Excmo Excma Ilmo Ilma ud uds vd vds p.ej p.e i.e e.g aprox vs cf Av Avda "
         "Admón Dpto depto incl S.M",
     .before_starter = "ee.uu s.a s.l s.a.u Cía Ltda Jr Hnos d.c a.c a.de.c d.de.c min seg hrs kgs Co u.e r.u",
     .before_capital = "etc a.m p.m",
     .of_number = "núm núms n.º n.o no nos pág págs p pp art arts vol vols cap caps fig figs tel tfno ed t ref máx mín "
                  "apdo ene feb mar abr jun jul ago sept set oct nov dic",
     .starters =
         "el la los las un una unos unas él ella ellos ellas yo tú usted ustedes nosotros lo le les me te se su sus mi "
         "mis tu tus nuestro este esta estos estas ese esa eso esto aquel aquella que qué quien quién cuando cuándo "
         "donde dónde cómo como por para con sin sobre en de del al a desde hasta según tras durante entre ante bajo "
         "contra pero y e o u ni si sí no también tampoco además embargo aunque porque pues entonces luego después "
         "antes ahora hoy ayer mañana aquí allí ya más muy todo todos toda todas cada algunos algunas muchos muchas "
         "varios otro otra hay es son fue era está están ha han había",
     .conjunctions = "y e o u pero sino porque mientras cuando donde aunque que si pues como luego entonces ni",
     .speech_verbs =
         "dijo preguntó respondió gritó exclamó contestó añadió murmuró susurró pensó replicó dice pregunta"},
    {.codes = "it ita",
     .never_end = "sig sigg sig.ra sigra sig.na dott dott.ssa dr prof prof.ssa avv ing geom rag mons p.es "
                  "cfr cf vs c.so v.le p.za p.zza magg serg spett egr gent ca St S SS",
     .before_starter = "a.c d.c s.p.a s.r.l s.n.c s.a.s Jr al sec es on sen cav comm gen col ten cap card arch",
     .before_capital = "ecc etc",
     .of_number = "n nn p pp pag pagg art artt vol voll capp fig figg tab tel ed t rif max min par c gennaio gen "
                  "feb mar apr mag giu lug ago set sett ott nov dic",
     .starters =
         "il lo la i gli le l un uno una egli lui lei essi loro noi voi io tu ci si questo questa questi queste quello "
         "quella quel quei ciò che chi cosa quando dove come perché quanto se in nel nella nei nelle a al alla ai alle "
         "da dal dalla di del della dei delle con su sul sulla per tra fra senza sotto sopra dopo prima durante mentre "
         "ma e ed o oppure però quindi dunque allora poi infine inoltre anche ancora non no sì oggi ieri domani ora "
         "adesso qui qua là ogni tutti tutte tutto molti molte alcuni alcune altri è sono era erano fu furono ha hanno "
         "c dell nell all "
         "dall sull quest quell",
     .conjunctions = "e ed o oppure ma però perché mentre quando dove che se quindi poi come anche né",
     .speech_verbs = "disse chiese rispose gridò esclamò aggiunse sussurrò domandò pensò mormorò replicò dice chiede"},
    {.codes = "pt por",
     .never_end = "sr sra srta srs sras dr dra drs dras prof profa profª eng engª arq exmo exma ilmo v.exa v.ex v.sa D "
                  "Dª Pe Sto Sta Gen Cel Cap Ten Sgt Maj Alm Dep Sen p.ex p.e i.e e.g cf aprox vs av trav St",
     .before_starter = "s.a Ltda Cia Jr d.c a.c min seg hab",
     .before_capital = "etc",
     .of_number =
         "n nº no núm num p pp pág págs pag art arts vol cap caps fig figs tel ed t máx mín inc séc ref jan fev "
         "mar abr jun jul ago set out nov dez",
     .starters =
         "o a os as um uma uns umas ele ela eles elas eu tu você vocês nós isto isso aquilo este esta esse essa aquele "
         "aquela que quem quando onde como por para com sem sobre em no na nos nas de do da dos das ao à aos às desde "
         "até segundo após durante entre mas e ou nem se sim não também além porém contudo embora porque pois então "
         "depois antes agora hoje ontem amanhã aqui ali lá já mais muito muitos muitas todo todos toda todas cada "
         "alguns algumas outro outra há é são foi era está estão tem seu sua seus suas meu minha",
     .conjunctions = "e ou mas porém porque enquanto quando onde que se pois como nem então",
     .speech_verbs = "disse perguntou respondeu gritou exclamou acrescentou sussurrou pensou murmurou replicou diz "
                     "pergunta"},
    {.codes = "nl nld dut",
     .never_end =
         "dhr mevr mw mej mr dr drs ir ing prof ds jhr jkvr kard mgr St o.a b.v bijv d.w.z dwz m.a.w m.b.t m.b.v "
         "m.n m.i i.v.m i.p.v i.t.t t.a.v t.b.v t.o.v t.g.v t.w a.d.h.v z.o.z nl vgl cf resp ca incl excl zgn "
         "zg z.g vs w.o evt ong div H Fa",
     .before_starter = "n.v v.chr n.chr chr v.o.f Co jr sr s.v.p a.u.b gem jl mln mld min sec",
     .before_capital = "enz etc e.d e.a",
     .of_number =
         "nr nrs no blz p pp afb fig art hfst hs par vol dl ed tel max jan feb mrt apr jun jul aug sept sep okt "
         "nov dec",
     .starters =
         "de het een hij zij ze wij we jullie u jij je ik men dit dat deze die er hier daar in op aan bij met naar van "
         "voor door over onder tussen tijdens na om uit tegen zonder sinds volgens als toen wanneer omdat hoewel "
         "terwijl maar en of dus want ook nog niet geen ja nee wie wat waar waarom hoe welke welk zijn haar hun ons "
         "onze mijn jouw alle alles veel sommige elke ieder iedere beide andere daarna later vandaag gisteren morgen "
         "nu toch echter bovendien s t k n daarom eerst tenslotte is was werd heeft kan zal",
     .conjunctions = "en of maar want dus omdat terwijl als toen wanneer dat die waar zodat hoewel dan",
     .speech_verbs = "zei vroeg riep antwoordde schreeuwde fluisterde dacht mompelde zegt vraagt"},
    {.codes = "ru rus",
     .never_end =
         "т.е т.н т.к т.о ул просп пл пер бул наб обл р-н корп проф акад доц канд докт инж тов гос-н г-н г-жа св "
         "см ср напр в.т.ч нач кон ок прибл англ нем фр лат греч и.о мл бывш зам зав пос дер",
     .before_starter = "г гг пр в вв н.э им тыс млн млрд руб коп р с о оз д м км кг чел экз шт мин сек ч род ум рожд",
     .before_capital = "др т.д т.п проч",
     .of_number = "стр рис табл гл ч т п пп ст вып изд кн тел кв оф разд прил ред № янв февр мар апр июн июл авг сент "
                  "окт нояб дек",
     .starters =
         "он она оно они мы вы я ты это эта этот эти тот та те то в во на с со к ко у о об обо от до из за по под над "
         "при "
         "про через между без для перед после около среди и а но или да однако зато также тоже не ни нет если когда "
         "где "
         "куда откуда почему зачем как что чтобы кто который какой хотя потому поэтому затем потом тогда теперь сейчас "
         "сегодня вчера завтра здесь там тут уже ещё еще все всё весь вся каждый многие некоторые его её ее их наш "
         "наша "
         "мой моя твой ваш свой был была было были есть будет можно нужно надо кроме кстати например впрочем итак вот "
         "вдруг однажды",
     .conjunctions = "и а но или однако чтобы когда если потому что хотя пока так как где который поэтому затем потом",
     .speech_verbs =
         "спросил спросила сказал сказала ответил ответила крикнул крикнула воскликнул воскликнула прошептал "
         "подумал подумала добавил закричал произнёс говорит спрашивает"},
};

SentenceRules SentenceRules::For(absl::string_view language) {
  std::vector<const Language*> members;
  const auto add = [&members](const Language& member) {
    if (std::find(members.begin(), members.end(), &member) == members.end()) members.push_back(&member);
  };
  const std::string lower = absl::AsciiStrToLower(language);
  bool all = lower.empty();
  SentenceRules rules;
  for (absl::string_view code : absl::StrSplit(lower, absl::ByAnyChar("-_+ "), absl::SkipEmpty())) {
    for (const Language& known : kLanguages) {
      if (HasCode(known.codes, code)) add(known);
    }
    for (const Family& family : kFamilies) {
      if (!HasCode(family.codes, code)) continue;
      all = all || family.members.empty();
      for (const Language& known : kLanguages) {
        for (absl::string_view member : absl::StrSplit(family.members, ' ')) {
          if (HasCode(known.codes, member)) add(known);
        }
      }
    }
    if (HasCode(kGreek, code)) rules.semicolon_asks_ = true;
  }
  if (all) {
    for (const Language& known : kLanguages) add(known);
  }
  size_t with_ordinals = 0;
  for (const Language* member : members) {
    rules.Add(*member);
    with_ordinals += !member->precede_ordinals.empty();
  }
  rules.has_words_ = !members.empty();
  if (with_ordinals > 0) rules.ordinals_ = with_ordinals == members.size() ? kAll : kSome;
  rules.AddAbbreviations(kSharedNeverEnd, Abbreviation::kNeverEnds);
  rules.AddAbbreviations(kSharedBeforeStarter, Abbreviation::kBeforeStarter);
  rules.AddAbbreviations(kSharedBeforeCapital, Abbreviation::kBeforeCapital);
  rules.AddAbbreviations(kSharedOfNumber, Abbreviation::kOfNumber);
  rules.AddUse(kMarkedNames, kMarkedName);
  return rules;
}

std::string SentenceRules::SourceLanguageOfName(absl::string_view model) {
  const std::vector<absl::string_view> parts = absl::StrSplit(model, '-');
  if (parts.size() < 2) return "";
  const absl::string_view target = parts.back();
  const std::string source = absl::AsciiStrToLower(parts[parts.size() - 2]);
  if (target.size() != 2 && target.size() != 3 && target != "ROMANCE") return "";
  for (const Language& known : kLanguages) {
    if (HasCode(known.codes, source)) return source;
  }
  for (const Family& family : kFamilies) {
    if (HasCode(family.codes, source)) return source;
  }
  return "";
}

void SentenceRules::Add(const Language& language) {
  AddAbbreviations(language.never_end, Abbreviation::kNeverEnds);
  AddAbbreviations(language.before_starter, Abbreviation::kBeforeStarter);
  AddAbbreviations(language.before_capital, Abbreviation::kBeforeCapital);
  AddAbbreviations(language.of_number, Abbreviation::kOfNumber);
  AddUse(language.starters, kStarter);
  AddUse(language.conjunctions, kConjunction);
  AddUse(language.speech_verbs, kSpeechVerb);
  AddUse(language.precede_ordinals, kPrecedesOrdinal);
  AddUse(language.follow_numbers, kFollowsNumber);
}

// What is there stays: within a language the first list counts, of several languages the first one.
void SentenceRules::AddAbbreviations(absl::string_view words, Abbreviation abbreviation) {
  for (absl::string_view word : absl::StrSplit(words, ' ', absl::SkipEmpty())) {
    std::string lower;
    for (int32_t i = 0; i < static_cast<int32_t>(word.size());) AppendLower(NextCodePoint(word, i), lower);
    Entry& entry = words_[lower];
    if (entry.capital == Abbreviation::kNone) entry.capital = abbreviation;
    if (entry.small == Abbreviation::kNone && lower == word) entry.small = abbreviation;
  }
}

void SentenceRules::AddUse(absl::string_view words, WordUse use) {
  for (absl::string_view word : absl::StrSplit(words, ' ', absl::SkipEmpty())) {
    uint8_t& uses = words_[std::string(word)].uses;
    uses = static_cast<uint8_t>(uses | use);
  }
}

bool SentenceRules::Has(absl::string_view word, WordUse use) const {
  const auto found = words_.find(word);
  return found != words_.end() && (found->second.uses & use) != 0;
}

Abbreviation SentenceRules::Find(absl::string_view word, bool capitalized) const {
  const auto found = words_.find(word);
  if (found != words_.end()) {
    const Abbreviation abbreviation = capitalized ? found->second.capital : found->second.small;
    if (abbreviation != Abbreviation::kNone) return abbreviation;
  }
  // "Hauptstr.": an entry "*str" stands for every word that ends so.
  constexpr absl::string_view kStreet = "str";
  if (word.size() > kStreet.size() && absl::EndsWith(word, kStreet)) {
    const auto suffix = words_.find("*str");
    if (suffix != words_.end()) return suffix->second.small;
  }
  return Abbreviation::kNone;
}

}  // namespace heed
