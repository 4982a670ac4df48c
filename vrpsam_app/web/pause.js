// What is told when the hand rests. Find asks with everything as it is then: told after it, a mark or a
// correction would stop it and be answered for one picture.

const REST_MS = 150; // a second step within this time joins the first one's request

function pauseBefore(tell) {
  let due = 0;
  document.addEventListener(
    'click',
    (event) => {
      if (event.target.closest('#find')) clearTimeout(due);
    },
    true, // before the button itself hears of it
  );
  return (...about) => {
    clearTimeout(due);
    due = setTimeout(tell, REST_MS, ...about);
  };
}
